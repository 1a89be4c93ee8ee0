{{ peers_quarterly('cloud') }}
