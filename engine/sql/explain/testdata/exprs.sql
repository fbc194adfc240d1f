a > 0
a > 0 and b < 5
a > 0 or b < 5.5 and c = 'x'
not (a > 0)
not h
h
h is true
h is not unknown
a is null
a is not null and b is null
c = 'it''s'
c like 'a%'
c ~ '^\d+$'
d = 'x'
d in ('a', 'b')
a in (1, 2, 3)
a not in (1, 2)
a between 1 and 10
a + 1 * 2 > 3
(a + 1) * 2 > 3
a - (1 - 2) > 0
a - 1 - 2 > 0
-a > 0
a > -5
b > 1
b > 1.5
b > -1.5
i > 5
i > 5000000000
j > 1.5
j > 1e10
e > '2020-01-01'
f > '2020-01-01 00:00:00+00'
a::text = '1'
c::int = 1
(a + 1)::text = '2'
b::int > 5
a::numeric(10,2) > 1
c::varchar(5) = 'x'
lower(c) = 'x'
upper(lower(c)) = 'X' and length(c) > 3
coalesce(a, 0) > 0
nullif(a, 0) > 0
greatest(a, 1) > least(a, 2)
case when a > 0 then b > 1 else h end
case a when 1 then true when 2 then false end
g[1] = 5
g[1:2] = '{1,2}'
(g || 1)[1] = 2
a = any (g)
a > all (array[1, 2])
g = array[1, a]
array_length(g, 1) > 2
(a, b) = (1, 2)
(a, i) < (1, 2)
a is distinct from 5
not (a is distinct from i)
c collate "C" > 'a'
extract(year from e) > 2000
e + 1 > '2020-01-01'
e + interval '1 day' > f
f at time zone 'UTC' > '2020-01-01'
current_date > e
current_timestamp > f
now() > f
substring(c from 1 for 2) = 'ab'
position('a' in c) > 0
trim(both 'x' from c) = 'a'
"Odd" > 1
k = 'abc'
(a % 2) = 0
a & 1 = 1
c || d = 'x'
c || 'x' || a = 'y'
(a > 0) = h
(h or a > 1) and (c = 'x' or c = 'y')
not (h and a > 1)
(a > 1) is true
(a + 1) is null
round(b, 2) > 1
mod(a, 2) = 1
date_trunc('month', f) = f
to_char(e, 'YYYY') = '2020'
a::bigint > i
a > i
a::float8 > j
a = 1 or a = 2 or a = 3
row(a, b) is null
c in ('x') and d <> 'y'
true
b = 5::numeric
null::boolean
'{1,2}'::int[] = g
