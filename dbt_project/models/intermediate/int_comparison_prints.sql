{{ sums_of_members(
    ref('dim_comparison_segment'), ['comparison', 'company_key', 'structure']
) }}
