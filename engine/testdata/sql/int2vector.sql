select distinct indkey from pg_index where indexrelid in (2662,2663,2659) order by 1;
select indkey, count(*) from pg_index where indexrelid in (2662,2663,2659,2658) group by indkey order by indkey desc;
select indkey=indkey, indkey<indkey, indkey = '2 3'::int2vector from pg_index where indexrelid=2663;
select count(*) from pg_index a join pg_index b on a.indkey=b.indkey where a.indexrelid=2662 and b.indexrelid<3000 and b.indexrelid=2662;
select indkey from pg_index where indexrelid in (2662,2663) union select indkey from pg_index where indexrelid in (2662) order by 1;
select indkey in ('1','2 3') from pg_index where indexrelid=2662;
select distinct indclass from pg_index where indexrelid in (2662,2663) order by 1;
select max(indkey) from pg_index;
