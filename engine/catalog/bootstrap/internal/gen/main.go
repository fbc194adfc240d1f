package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5/pgconn"
)

// facts lists the catalogs whose built-in rows are taken over: the columns to read and which rows. Columns that are left
// out get a null or default at initdb. Descriptions and bodies of SQL functions are PostgreSQL's prose and source: they
// stay where they are.
var facts = []struct{ catalog, query string }{
	{"pg_class", `select oid, relname, relnatts, relkind, relisshared, relrowsecurity from pg_class
		where relnamespace = 11 and relkind in ('r', 'i') order by oid`},
	{"pg_attribute", `select attrelid, attname, atttypid, attlen, attnum, attndims, atttypmod, attbyval, attalign, attstorage,
		attnotnull, attcollation from pg_attribute where attnum > 0 and attrelid in
		(select oid from pg_class where relnamespace = 11 and relkind in ('r', 'i')) order by attrelid, attnum`},
	{"pg_index", `select indexrelid, indrelid, indnatts, indnkeyatts, indisunique, indisprimary, indkey, indcollation, indclass,
		indoption from pg_index where indrelid in (select oid from pg_class where relnamespace = 11 and relkind = 'r')
		order by indexrelid`},
	{"pg_type", `select oid, typname, typlen, typbyval, typtype, typcategory, typispreferred, typisdefined, typdelim, typrelid,
		typsubscript::oid, typelem, typarray, typinput::oid, typoutput::oid, typreceive::oid, typsend::oid, typmodin::oid,
		typmodout::oid, typanalyze::oid, typalign, typstorage, typcollation, typbasetype, typtypmod, typndims from pg_type t
		where typnamespace = 11 and (typrelid = 0 or exists (select from pg_class where oid = typrelid and relkind = 'r'))
		and (typelem = 0 or typcategory <> 'A' or exists (select from pg_type e left join pg_class c on c.oid = e.typrelid
		where e.oid = t.typelem and (e.typrelid = 0 or c.relkind = 'r') and e.typnamespace = 11)) order by oid`},
	{"pg_proc", `select oid, proname, case when prolang = 14 then 12 else prolang end as prolang, procost, prorows, provariadic,
		prosupport::oid, prokind, prosecdef, proleakproof, proisstrict, proretset, provolatile, proparallel, pronargs,
		pronargdefaults, prorettype, proargtypes, proallargtypes, proargmodes, proargnames, pg_get_expr(proargdefaults, 0) as defaults,
		case when prolang = 14 then proname else prosrc end as prosrc from pg_proc where pronamespace = 11 order by oid`},
	{"pg_operator", `select oid, oprname, oprkind, oprcanmerge, oprcanhash, oprleft, oprright, oprresult, oprcom, oprnegate,
		oprcode::oid, oprrest::oid, oprjoin::oid from pg_operator where oprnamespace = 11 order by oid`},
	{"pg_aggregate", `select aggfnoid::oid, aggkind, aggnumdirectargs, aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid,
		aggserialfn::oid, aggdeserialfn::oid, aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid, aggfinalextra,
		aggmfinalextra, aggfinalmodify, aggmfinalmodify, aggsortop, aggtranstype, aggtransspace, aggmtranstype, aggmtransspace,
		agginitval, aggminitval from pg_aggregate order by 1`},
	{"pg_cast", `select oid, castsource, casttarget, castfunc, castcontext, castmethod from pg_cast where oid < 16384 order by oid`},
	{"pg_am", `select oid, amname, amhandler::oid, amtype from pg_am where oid < 16384 order by oid`},
	{"pg_opfamily", `select oid, opfmethod, opfname from pg_opfamily where opfnamespace = 11 order by oid`},
	{"pg_opclass", `select oid, opcmethod, opcname, opcfamily, opcintype, opcdefault, opckeytype from pg_opclass
		where opcnamespace = 11 order by oid`},
	{"pg_amop", `select oid, amopfamily, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr, amopmethod,
		amopsortfamily from pg_amop where oid < 16384 order by oid`},
	{"pg_amproc", `select oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc::oid from pg_amproc
		where oid < 16384 order by oid`},
	{"pg_collation", `select oid, collname, collprovider, collisdeterministic, collencoding, collcollate, collctype
		from pg_collation where oid < 12000 and collnamespace = 11 order by oid`},
	{"pg_language", `select oid, lanname, lanispl, lanpltrusted, lanplcallfoid, laninline, lanvalidator from pg_language
		where oid < 12000 order by oid`},
	{"pg_authid", `select oid, rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
		rolbypassrls, rolconnlimit from pg_authid where oid < 16384 and oid <> 10 order by oid`},
	{"pg_auth_members", `select roleid, member, grantor, admin_option from pg_auth_members where roleid < 16384 and
		member < 16384 order by 1, 2`},
	{"pg_range", `select rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc, rngcanonical::oid, rngsubdiff::oid
		from pg_range where rngtypid < 16384 order by 1`},
	{"pg_ts_parser", `select oid, prsname from pg_ts_parser where oid < 16384 order by oid`},
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen DSN DIRECTORY")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dsn, dir string) error {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, f := range facts {
		var out bytes.Buffer
		if _, err := conn.CopyTo(ctx, &out, "copy ("+f.query+") to stdout (header true)"); err != nil {
			// PostgreSQL 15 has HEADER in text format; an older server is refused.
			return fmt.Errorf("%s: %w", f.catalog, err)
		}
		if err := os.WriteFile(filepath.Join(dir, f.catalog+".tsv"), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return writeNames(dir, filepath.Join(dir, "..", "names.go"))
}
