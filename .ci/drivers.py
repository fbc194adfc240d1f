#!/usr/bin/python3
"""Asks a running server as drivers and mappers of Python do: drivers.py PORT. Those that are not installed are left out, by name."""
import asyncio, datetime, decimal, importlib.util, io, json, os, sys, tempfile, uuid

PORT = int(sys.argv[1])
WHERE = dict(host="127.0.0.1", port=PORT, user="postgres")


def want(what, expected, got):
    if expected != got:
        sys.exit(f"{what}: want {expected!r}, got {got!r}")
    print("ok  ", what)


def psycopg2():
    import psycopg2, psycopg2.extras
    c = psycopg2.connect(dbname="postgres", **WHERE)
    psycopg2.extras.register_uuid()
    q = c.cursor()
    q.execute("create table d2 (id serial primary key, a int[], j jsonb, n numeric(10, 2), u uuid, b bytea, h inet)")
    rows = [([1, i], json.dumps({"x": i}), decimal.Decimal("1.50"), uuid.UUID(int=i), b"\0\1", "10.0.0.1") for i in range(100)]
    psycopg2.extras.execute_values(q, "insert into d2 (a, j, n, u, b, h) values %s", rows)
    c.commit()
    q.execute("select a, j, n, u from d2 where id = 5")
    want("psycopg2 types", ([1, 4], {"x": 4}, decimal.Decimal("1.50"), uuid.UUID(int=4)), q.fetchone())
    n = c.cursor("named")
    n.itersize = 10
    n.execute("select id from d2 order by id")
    want("psycopg2 named cursor", 100, sum(1 for _ in n))
    n.close()
    q.copy_expert("copy d2 (a, n) from stdin with csv", io.StringIO('"{1,2}",3\n"{}",4\n'))
    q.execute("select count(*) from d2")
    want("psycopg2 copy", 102, q.fetchone()[0])
    c.commit()
    c.set_isolation_level(0)
    q.execute("listen x; notify x, 'y'")
    c.poll()
    want("psycopg2 notify", [("x", "y")], [(m.channel, m.payload) for m in c.notifies])
    c.close()


def psycopg():
    import psycopg
    from psycopg.types import TypeInfo
    from psycopg.types.composite import CompositeInfo
    with psycopg.connect(dbname="postgres", **WHERE) as c:
        c.prepare_threshold = 1
        for i in range(5):
            got = c.execute("select %s::int, %s::text[], %t::jsonb", (i, ["a"], '{"a": 1}')).fetchone()
        want("psycopg prepared", (4, ["a"], {"a": 1}), got)
        c.execute("create table d3 (id int, a int[], n numeric, h inet, t timestamptz)")
        with c.cursor() as q, q.copy("copy d3 (id, a, n) from stdin (format binary)") as copy:
            copy.set_types(["int4", "int4[]", "numeric"])
            for i in range(20):
                copy.write_row((i, [i], decimal.Decimal(i)))
        for binary in (False, True):
            with c.cursor("server", binary=binary) as q:
                q.execute("select id, a, n, %s as p from d3 where id > %s order by id", ("kept", 10))
                first = q.fetchone()
                c.execute("select %s::text, %s", ("another", "statement"))
                want("psycopg cursor with parameters", ((11, [11], decimal.Decimal(11), "kept"), 8), (first, len(q.fetchall())))
        with c.pipeline():
            c.execute("insert into d3 (id) values (%s)", (100,))
            got = c.execute("select count(*) from d3").fetchone()
        want("psycopg pipeline", (21,), got)
        want("psycopg catalogs", (3802, ["id", "a", "n", "h", "t"]), (TypeInfo.fetch(c, "jsonb").oid, list(CompositeInfo.fetch(c, "d3").field_names)))


def asyncpg():
    import asyncpg

    async def go():
        c = await asyncpg.connect(database="postgres", **WHERE)
        await c.execute("create table d4 (id int, a int[], j jsonb, n numeric, t timestamptz)")
        await c.copy_records_to_table("d4", records=[(i, [i], decimal.Decimal(i)) for i in range(50)], columns=["id", "a", "n"])
        await c.executemany("update d4 set j = $2 where id = $1", [(i, json.dumps({"i": i})) for i in range(50)])
        s = await c.prepare("select $1::jsonb, $2::interval, $3::numeric[], j from d4 where id = $4")
        got = await s.fetchrow('{"a": 1}', datetime.timedelta(1), [decimal.Decimal("1.5")], 7)
        want("asyncpg types", ('{"a": 1}', datetime.timedelta(1), [decimal.Decimal("1.5")], '{"i": 7}'), tuple(got))
        got = []
        await c.add_listener("ch", lambda *a: got.append(a[3]))
        await c.execute("notify ch, 'p'")
        await asyncio.sleep(0.2)
        want("asyncpg notify", ["p"], got)
        await c.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        want("asyncpg codec", {"a": [1]}, await c.fetchval("select $1::jsonb", {"a": [1]}))
        n = 0
        async with c.transaction():
            async for _ in c.cursor("select * from d4 where id < $1", 20, prefetch=3):
                n += 1
        want("asyncpg cursor", 20, n)
        await c.close()
        pool = await asyncpg.create_pool(database="postgres", min_size=3, max_size=5, **WHERE)

        async def one(i):
            async with pool.acquire() as k:
                return await k.fetchval("select $1::int + 1", i)
        want("asyncpg pool", 5050, sum(await asyncio.gather(*[one(i) for i in range(100)])))
        await pool.close()
    asyncio.run(go())


def sqlalchemy():
    from sqlalchemy import create_engine, inspect, MetaData, text
    e = create_engine(f"postgresql+psycopg2://postgres@127.0.0.1:{PORT}/postgres")
    with e.begin() as c:
        c.execute(text("create table sa_a (id serial primary key, name varchar(50) not null, n numeric(10, 2) check (n > 0), tags text[])"))
        c.execute(text("create table sa_b (id bigint generated by default as identity primary key, a_id int references sa_a on delete cascade, v text unique)"))
        c.execute(text("create index sa_i on sa_b (v) where v is not null"))
        c.execute(text("comment on table sa_b is 'hello'"))
    i = inspect(e)
    want("sqlalchemy columns", [("id", False), ("a_id", True), ("v", True)], [(c["name"], c["nullable"]) for c in i.get_columns("sa_b")])
    want("sqlalchemy keys", (["id"], ["sa_a"], "hello"), (i.get_pk_constraint("sa_b")["constrained_columns"],
                                                         [k["referred_table"] for k in i.get_foreign_keys("sa_b")], i.get_table_comment("sa_b")["text"]))
    want("sqlalchemy indexes", ["sa_b_v_key", "sa_i"], sorted(x["name"] for x in i.get_indexes("sa_b")))
    want("sqlalchemy checks", ["n > (0)::numeric"], [x["sqltext"] for x in i.get_check_constraints("sa_a")])
    m = MetaData()
    m.reflect(e, only=["sa_a", "sa_b"])
    want("sqlalchemy reflection", ["sa_a", "sa_b"], sorted(m.tables))


def django():
    import django as dj
    from django.conf import settings
    settings.configure(DATABASES={"default": dict(ENGINE="django.db.backends.postgresql", NAME="postgres", USER="postgres", HOST="127.0.0.1", PORT=PORT)},
                       INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True)
    dj.setup()
    from django.core.management import call_command
    from django.contrib.auth.models import Group, User
    from django.db import connection, models, transaction
    call_command("migrate", verbosity=0)
    u = User.objects.create_user("someone", "some@one", "word")
    u.groups.add(Group.objects.create(name="all"))
    with transaction.atomic():
        User.objects.select_for_update(skip_locked=True).get(pk=u.pk)
    want("django queries", ("all", 1), (User.objects.prefetch_related("groups").get(pk=u.pk).groups.first().name,
                                        User.objects.annotate(n=models.Count("groups")).filter(n__gt=0).count()))
    out = io.StringIO()
    call_command("inspectdb", stdout=out)
    want("django inspectdb", False, "Unable to inspect" in out.getvalue())

    def columns():
        with connection.cursor() as c:
            return [(d.name, d.null_ok) for d in connection.introspection.get_table_description(c, "auth_group")]
    before = columns()
    with connection.schema_editor() as ed:
        f = models.CharField(max_length=300, default="x")
        f.set_attributes_from_name("extra")
        ed.add_field(Group, f)
        g = models.TextField(null=True, db_index=True)
        g.set_attributes_from_name("extra")
        ed.alter_field(Group, f, g)
    want("django added column", before + [("extra", True)], columns())
    with connection.schema_editor() as ed:
        ed.remove_field(Group, g)
    want("django removed column", before, columns())


for ask in (psycopg2, psycopg, asyncpg, sqlalchemy, django):
    if importlib.util.find_spec(ask.__name__):
        ask()
    else:
        print("left out, not installed:", ask.__name__)
