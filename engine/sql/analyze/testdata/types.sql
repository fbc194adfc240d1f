1
1 + 1
1 + 1.5
3000000000
-3000000000
99999999999999999999
'a'
'a' || 'b'
1 || 'a'
'a' || 1
now()
now() - interval '1 day'
now() - now()
date '2020-01-01' + 1
date '2020-01-01' - date '2019-01-01'
date '2020-01-01' + interval '1 day'
'2020-01-01'::date
cast('1' as int)
1::text
'1'::varchar(10)
1::numeric(10,2)
array[1,2,3]
array[1,2.5]
array['a','b']
array[[1,2],[3,4]]
array[]::int[]
(array[1,2,3])[1]
(array[1,2,3])[1:2]
case when true then 1 else 2.5 end
case when true then 'a' end
case 1 when 1 then 'x' else null end
coalesce(1, 2.0)
coalesce(null, 'a')
nullif(1, 2)
greatest(1, 2.5)
least('a', 'b')
1 = 1
1 = 1.0
'a' = 'b'
'a'::name = 'b'
'a'::bpchar = 'a'::text
1 in (1, 2, 3)
1 in (1, 2.5)
1 = any(array[1,2])
1 = any('{1,2}')
1 between 0 and 2
'abc' like 'a%'
'abc' ~ 'a'
not true
true and false
null
null is null
1 is distinct from 2
row(1, 2)
row(1, 2) = row(1, 2)
row(1, 2) < row(1, 2)
exists (select 1)
(select 1)
array(select 1)
1 in (select 1)
count(*)
sum(1)
sum(1::bigint)
sum(1.5)
sum(1::float8)
avg(1)
avg(1.5::float8)
min('a'::text)
max(now())
string_agg('a', ',')
array_agg(1)
bool_and(true)
count(distinct 1)
stddev(1)
length('abc')
substr('abc', 1, 2)
substring('abc' from 1 for 2)
position('a' in 'abc')
trim('  a ')
upper('a')
abs(-1)
abs(-1.5)
round(1.5)
round(1.567, 2)
round(1.5::float8)
power(2, 3)
sqrt(2)
mod(5, 3)
5 % 3
5 / 2
5.0 / 2
2 ^ 3
|/ 4.0
@ -5
-5
- '5'
+ 5
~ 5
5 & 3
5 << 2
generate_series(1, 10)
unnest(array[1,2])
random()
current_date
current_timestamp
current_user
localtime
extract(year from now())
date_part('year', now())
date_trunc('day', now())
age(now())
to_char(now(), 'YYYY')
to_char(1, '999')
concat('a', 1, true)
format('%s', 1)
array_length(array[1], 1)
array_to_string(array[1], ',')
array_cat(array[1], array[2])
array[1] || array[2]
array[1] || 2
1 || array[2]
array_append(array[1], 2)
'{1,2}'::int[]
oid '5'
1::oid
'pg_class'::regclass
'int4'::regtype
interval '1 day'
interval '1' day
'1 day'::interval * 2
time '10:00'
timestamp '2020-01-01' at time zone 'UTC'
uuid '00000000-0000-0000-0000-000000000000'
'\x00'::bytea
b
nosuch(1)
1 + 'a'::text
1 + true
'a' + 'b'
now() + 1
lower(1)
1::date
'x'::int
'x'::nosuch
sum(sum(1))
count()
sum('a')
array[1, 'a']
case when 1 then 2 end
case when true then 1 else 'a' end
coalesce(1, 'a')
substr(1, 2)
(1).x
'a'::text[1]
upper('a', 'b')
int4(1.5)
text(1)
float8(1)
pg_typeof(1)
current_schema()
version()
1 union select 2.5
null union select 1
'a' union select 1
