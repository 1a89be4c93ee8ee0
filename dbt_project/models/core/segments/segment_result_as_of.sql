{{ config(materialized='table_macro', parameters=['as_of_date'], contract={'enforced': false}) }}

with prints as (
    select
        results.*,
        structures.first_reported_period as structure_first_reported
    from (
        select
            segment_key,
            metric,
            period_start,
            period_end,
            document_id,
            company_key,
            structure,
            breakdown,
            segment_label,
            label_printed,
            period_type,
            value_millions,
            printed_step_millions,
            currency,
            column_role,
            reported_on,
            ordered_on,
            source_quality,
            document_rank,
            locator,
            note,
            source_url
        from {{ ref('fct_segment_result').include(database=false) }}
        where reported_on is not null and reported_on <= {{ as_of_date() }}
    ) as results
    inner join {{ ref('dim_structure').include(database=false) }} as structures
        on
            results.company_key = structures.company_key
            and results.structure = structures.structure
)

{{ segment_prints_with_flags('prints') }}
