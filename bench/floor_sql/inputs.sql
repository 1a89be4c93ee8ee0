-- Landing and reference as views; of each key the newest assertion of the best source counts.
create or replace temp view load_log as
from read_parquet(getvariable('reference') || '/load_log.parquet');

create or replace temp view securities as
from read_parquet(getvariable('reference') || '/securities.parquet');

create or replace temp view calendar_dates as
from read_parquet(getvariable('reference') || '/calendar_dates.parquet');

create or replace temp macro counting(dataset) as table
select landed.*, load_log.source_rank, load_log.sequence
from read_parquet(getvariable('landing') || '/' || dataset || '/*.parquet', union_by_name = true)
    as landed
inner join load_log on load_log.dataset = dataset and load_log.batch_id = landed.batch_id;
