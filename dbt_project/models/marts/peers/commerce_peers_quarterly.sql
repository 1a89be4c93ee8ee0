{{ peers_quarterly('commerce') }}
