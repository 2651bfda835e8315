"""Values of every type of a stock PostgreSQL and of its commonest extensions, as it reads them.

`VALUES` are those that arrive; `UNFIT` those that a copy's type can't hold, on every warehouse, and
`UNFIT_IN_SNOWFLAKE` those that only Snowflake can't. NULL is tried for every type besides. `SET_UP`
makes the types that the names here are of.

`UNTRUE_IN_EMULATOR` are values that Snowflake holds and the emulator does not: it keeps a
NUMBER(38,0) in 64 bits and the fractions of JSON in doubles. What it hides besides: Snowflake's own
text of a value, its VARIANT, and its limits of size.
"""

SET_UP = """
create extension citext; create extension hstore; create extension ltree; create extension cube;
create type mood as enum ('sad', 'ok', '', 'very "happy"', 'x,y');
create type address as (street text, number int, "we{i}r""d" numeric);
create type trip as (legs address[], mood mood, days daterange, at timestamptz);
create type leg as (stops int[], "from" text);
create type tree as (leg leg, legs leg[]);
create type event as (payload json);
create domain percent as numeric(5, 2) check (value between 0 and 100);
create domain share as percent default 50;
create domain digits as text check (value ~ '^[0-9]*$');
create domain matrix as int[];
create domain home as address;
create type span as range (subtype = float8);
create type words as range (subtype = text, collation = "C");
"""

NINES = "9" * 38
TINY = "0." + "0" * 36 + "1"
HOSTILE = [
    "",
    " ",
    "NULL",
    "null",
    "\\N",
    "a\\b",
    "'; drop table t; --",
    '"',
    '"quoted", text',
    "{1,2}",
    "[1,2]",
    "=",
    "=1+1",
    "$1 %s {0} ${HOME}",
    "line\nfeed\r\n\ttab",
    "\x01\x7f",
    "é",
    "e\u0301",
    "漢字",
    "🦆",
    "\u202egnp.exe",
    "\ufeff",
    "NaN",
    "infinity",
    "0x00",
    "x" * 10_000,
]
SHORT = [text for text in HOSTILE if len(text) <= 20]

INTEGERS = ["0", "1", "-1"]
FLOATS = ["0", "-0", "1", "0.1", "-1.5", "NaN", "Infinity", "-Infinity"]
DATES = ["1970-01-01", "0001-01-01", "9999-12-31", "1582-10-10", "2024-02-29", "1969-12-31"]
CLOCKS = ["00:00:00", "23:59:59.999999", "12:30:00.5", "00:00:00.000001"]
INSTANTS = [
    *("1970-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
    *("1969-12-31 23:59:59.999999", "2026-03-29 01:30:00.000001", "1677-09-21 00:12:43.145224"),
    *("2262-04-11 23:47:16.854776", "1883-11-18 12:03:57"),
]
NUMBERS = [
    *("0", "0.0", "1.50", "1.5", "-1e-20", "1e40", f"{NINES}.{NINES}", "NaN", "Infinity"),
    *("-Infinity", "1e131071", "1e-16383", "-0"),
]

VALUES: dict[str, list[str]] = {
    # numbers
    "smallint": [*INTEGERS, "-32768", "32767"],
    "integer": [*INTEGERS, "-2147483648", "2147483647"],
    "bigint": [*INTEGERS, "-9223372036854775808", "9223372036854775807"],
    "real": [*FLOATS, "3.4028235e38", "1e-45", "16777217", "1.17549435e-38"],
    "double precision": [
        *FLOATS,
        *("1.7976931348623157e308", "5e-324", "9007199254740993", "0.30000000000000004"),
        *("1e15", "1e16", "123456789012345680", "2.2250738585072014e-308"),
    ],
    "numeric": NUMBERS,
    "numeric(5,2)": ["0", "-0.01", "999.99", "-999.99", "1.5"],
    "numeric(38,0)": ["0", NINES, f"-{NINES}"],
    "numeric(38,37)": ["0", f"9.{NINES[1:]}", f"-9.{NINES[1:]}", TINY],
    "numeric(38,9)": ["0", "0.000000001", f"{NINES[9:]}.999999999"],
    "numeric(1,0)": ["0", "9", "-9"],
    "numeric(2,2)": ["0.99", "-0.99", "0"],
    "numeric(50,10)": ["0", "1.5", "9" * 40 + ".9999999999"],
    "numeric(5,-2)": ["0", "12345", "9999900"],
    "numeric(3,5)": ["0", "0.00999", "-0.00001"],
    "money": ["0", "-0.01", "92233720368547758.07", "-92233720368547758.08"],
    # text
    "text": HOSTILE,
    "varchar": SHORT,
    "varchar(10)": ["", " ", "0123456789", "漢字漢字漢字漢字漢字"],
    "char(3)": ["", " ", "a", "abc", "漢字"],
    "char": ["", "a"],
    '"char"': ["", "a", "\\001", "\\377", "\\\\"],
    "name": ["", "a", "x" * 63],
    "citext": ["", "A", "a", "É"],
    "bytea": ["", r"\x00", r"\x00ff5c27", r"\x" + "fe" * 5_000],
    "mood": ["sad", "ok", "", 'very "happy"', "x,y"],
    # dates and times
    "date": DATES,
    "timestamp": INSTANTS,
    "timestamp(0)": ["1970-01-01 00:00:00", "9999-12-31 23:59:59"],
    "timestamptz": [f"{instant}+00" for instant in INSTANTS],
    "time": CLOCKS,
    "time(0)": ["00:00:00", "23:59:59"],
    "timetz": ["00:00:00+00", "24:00:00-15:59:59", "23:59:59.999999+14", "12:00:00+05:30"],
    "interval": [
        *("0", "1 day", "24 hours", "-1 mon +1 day -00:00:00.000001", "178000000 years"),
        *("1 year 2 mons 3 days 04:05:06.789", "infinity", "-infinity"),
    ],
    "interval day to second(2)": ["1 day 02:03:04.56"],
    # logic, identity, bits
    "boolean": ["true", "false"],
    "uuid": [
        *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    ],
    "bit": ["0", "1"],
    "bit(8)": ["00000000", "11111111"],
    "varbit": ["", "0", "101" * 30],
    # JSON
    "json": [
        *("{}", "[]", "null", '""', "0", '{"a":1,"a":2}', ' { "b" : [ 1 ] } ', r'"\u0000"'),
        *(r'"\ud800"', "1" * 60, "1e400", "1.50", "-0.0e-0"),
    ],
    "jsonb": [
        *("{}", "[]", "null", "true", '""', "0", "-0", "1.5", NINES, f"0.{NINES[1:]}", "1.50"),
        *('{"": {"a": [null, {"b": "c"}]}}', r'"\"\\\n\u00e9\u6f22\ud83e\udd86"', '{"a":1,"a":2}'),
        *('"' + "9" * 60 + '"', "[" * 200 + "]" * 200, '[1.0, 1.00, 100, "1e400"]'),
    ],
    "jsonpath": ["$", '$."a b"[*] ? (@ > 1)'],
    # networks
    "inet": ["0.0.0.0", "10.1.2.3/8", "255.255.255.255", "::", "::ffff:1.2.3.4/96", "fe80::1/128"],
    "cidr": ["0.0.0.0/0", "10.0.0.0/8", "::/0", "2001:db8::/32"],
    "macaddr": ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"],
    "macaddr8": ["00:00:00:00:00:00:00:00", "08:00:2b:01:02:03:04:05"],
    # geometry
    "point": ["(0,0)", "(-0,1e300)", "(NaN,Infinity)"],
    "line": ["{1,2,3}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["((0,0),(1,1))", "[(0,0),(1,1)]"],
    "polygon": ["((0,0),(1,0),(1,1))"],
    "circle": ["<(0,0),0>", "<(1.5,-2),3>"],
    # search
    "tsvector": ["", "a:1A fat:2B,4C 'it''s':3", "'  '"],
    "tsquery": ["", "'a' & !'b' <-> 'c':*A"],
    "ltree": ["", "Top.Science.Astronomy"],
    "lquery": ["Top.*{0,2}.!a|b@*"],
    "ltxtquery": ["Europe & Russia*@ & !Transportation"],
    # ranges
    "int4range": ["empty", "(,)", "[1,5)", "(1,5]", "[-2147483648,)"],
    "int8range": ["empty", "[9223372036854775806,9223372036854775807)"],
    "numrange": ["empty", "[1.0,1.00]", "(0,1e40)", "[NaN,NaN]"],
    "daterange": ["empty", "[2026-01-01,2026-02-01)", "[-infinity,infinity)", "[4713-01-01 BC,]"],
    "tsrange": ['["2026-01-01 00:00:00","2026-01-01 00:00:00.000001")', "empty"],
    "tstzrange": ['["2026-01-01 00:00:00+00",infinity]', "(,)"],
    "int4multirange": ["{}", "{[1,5),[7,9)}", "{(,)}"],
    "int8multirange": ["{[1,9223372036854775807)}"],
    "nummultirange": ["{[1.0,2.0),[3,4]}"],
    "datemultirange": ["{[2026-01-01,2026-02-01)}"],
    "tsmultirange": ['{["2026-01-01 00:00:00","2026-01-02 00:00:00")}'],
    "tstzmultirange": ['{["2026-01-01 00:00:00+00","2026-01-02 00:00:00+00")}'],
    "span": ["[-0,0.1)", "empty"],
    "words": ['[a,"b, c")', r'["",""]', r'["","\\"]'],
    # domains
    "percent": ["0", "100", "33.33"],
    "share": ["50"],
    "digits": ["", "007"],
    "matrix": ["{}", "{{1,2},{3,4}}"],
    "home": ["(,,)", '("a ""b"" c",1,2.50)'],
    # arrays
    "int[]": ["{}", "{1}", "{NULL}", "{1,NULL,-3}", "{{1,2},{3,4}}", "{{{1}},{{2}}}", "{{NULL}}"],
    "smallint[]": ["{-32768,32767}"],
    "bigint[]": ["{-9223372036854775808,9223372036854775807}"],
    "numeric[]": ["{0,1.50,-1e-20,NaN,Infinity,-Infinity}", "{1.0,1.00}"],
    "numeric(5,2)[]": ["{1.5,-999.99}"],
    "real[]": ["{0.1,3.4028235e38,1e-45,NaN,Infinity,-Infinity}"],
    "float8[]": ["{0.1,1.7976931348623157e308,5e-324,NaN,Infinity,-Infinity,-0}"],
    "bool[]": ["{t,f,NULL}"],
    "text[]": ["{}", '{"",NULL,"NULL","a,b","{}","\\"","\\\\",é,🦆,"\n"}', "{{a,b},{c,d}}"],
    "varchar(5)[]": ["{abcde}"],
    "char(3)[]": ["{a,abc}"],
    "bytea[]": [r'{"\\x00ff",NULL}'],
    "date[]": ["{2026-01-31,infinity,-infinity,0044-03-15 BC,NULL}"],
    "timestamp[]": ['{"2026-01-31 12:00:00.000001",infinity,"0044-03-15 00:00:00 BC"}'],
    "timestamptz[]": ['{"2026-01-31 12:00:00.5+00",-infinity}'],
    "time[]": ["{24:00:00,00:00:00.5}"],
    "interval[]": ['{"1 day",24:00:00}'],
    "uuid[]": ["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"],
    "json[]": [r'{"{\"a\":1,\"a\":2}","\"\\u0000\"",null,NULL}'],
    "jsonb[]": [r'{"{\"a\": 1.50}","null",NULL}'],
    "inet[]": ["{10.0.0.1,::/0}"],
    "money[]": ["{$1.00}"],
    "point[]": ['{"(0,1)","(NaN,2)"}'],
    "box[]": ["{(1,1),(0,0);(2,2),(1,1)}"],
    "bit(3)[]": ["{101,000}"],
    "int4range[]": ['{"[1,5)",empty}'],
    "int4multirange[]": ['{"{[1,5)}"}'],
    "tsvector[]": ["{'a':1}"],
    "xid8[]": ["{18446744073709551615}"],
    "citext[]": ["{A,a}"],
    "hstore[]": [r'{"\"a\"=>NULL","\"b\"=>\"1\""}'],
    "ltree[]": ["{a.b,c}"],
    "cube[]": ['{"(1, 2)"}'],
    "mood[]": ['{sad,"",NULL}', '{"very \\"happy\\"","x,y"}'],
    "percent[]": ["{0,100}"],
    "matrix[]": ['{"{1,2}","{}"}'],
    "address[]": [r'{"(,,)",NULL,"(\"a,b\",1,2)"}'],
    "home[]": [r'{"(a,1,2)"}'],
    # composites and hstore
    "address": ["(,,)", '("",0,0)', '("a ""b"", (c)",-1,1.50)', "(NaN,1,NaN)"],
    "trip": [r'("{""(a,1,2)"",NULL}",ok,"[2026-01-01,2026-02-01)","2026-01-31 12:00:00+00")'],
    "leg": ['("{1,2}",a)', "(,)", '("{}","[0:1]={1,2}")'],
    "tree": [r'("(""{1}"",a)","{""(\\""{2,3}\\"",b)""}")'],
    "event": [r'("{""a"":1,""a"":2}")', "()"],
    "event[]": [r'{"(\"{\"\"a\"\":1e400}\")"}'],
    "hstore": ["", '"a"=>"1"', '"a"=>NULL,""=>"","b c"=>"\\"\\\\"', "é=>漢"],
    # of the server
    "oid": ["0", "4294967295"],
    "xid": ["0", "4294967295"],
    "xid8": ["0", "18446744073709551615"],
    "cid": ["0"],
    "tid": ["(0,1)", "(4294967295,65535)"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"],
    "pg_snapshot": ["10:20:10,14,15"],
    "txid_snapshot": ["10:20:10,14,15"],
    "aclitem": ["postgres=r*w/postgres"],
    "refcursor": ["", "c"],
    "int2vector": ["", "1 2 3"],
    "oidvector": ["", "1 2"],
    "regclass": ["pg_class", "-"],
    "regcollation": ['"C"'],
    "regconfig": ["simple"],
    "regdictionary": ["simple"],
    "regnamespace": ["pg_catalog"],
    "regoper": ["||/"],
    "regoperator": ["+(integer,integer)"],
    "regproc": ["now"],
    "regprocedure": ["abs(integer)"],
    "regrole": ["postgres"],
    "regtype": ["integer", "text[]"],
    # of an extension that nobody here knows
    "cube": ["(1, 2, 3)", "(0),(1)"],
}
UNFIT: dict[str, list[str]] = {
    "numeric(5,2)": ["NaN"],
    "numeric(38,37)": ["NaN"],
    "date": ["infinity", "-infinity", "0044-03-15 BC", "0001-12-31 BC", "10000-01-01"],
    "timestamp": [
        *("infinity", "-infinity", "0001-12-31 23:59:59.999999 BC", "10000-01-01 00:00:00"),
        *("4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999"),
    ],
    "timestamptz": [
        "infinity",
        "-infinity",
        "0044-03-15 12:00:00+00 BC",
        "294276-12-31 00:00:00+00",
    ],
    "time": ["24:00:00"],
    "int[]": ["[0:1]={1,2}", "[1:1][-2:-1]={{1,2}}", "[5:5]={NULL}"],
    "text[]": ["[2:2]={a}"],
    "json[]": ['[0:0]={"1"}'],
    "matrix": ["[0:0]={1}"],
    "matrix[]": ['{"[0:0]={1}"}', '[0:0]={"{1}"}'],
    "leg": ['("[0:1]={1,2}",a)'],
    "tree": [
        r'("(""[0:0]={1}"",a)",)',
        r'(,"{""(\\""[0:0]={1}\\"",b)""}")',
        r'(,"[0:0]={""(\\""{1}\\"",b)""}")',
    ],
    "address[]": ['[0:0]={"(a,1,2)"}'],
}
UNFIT_IN_SNOWFLAKE: dict[str, list[str]] = {
    "jsonb": [
        *("9" * 39, f"-{'9' * 39}", "0." + "0" * 37 + "1", "1e40", "1e-38"),
        *(f'{{"a": [1, {"9" * 50}]}}', '["' + "\\\\" * 3 + f'", {"1" * 39}]'),
    ],
    "numeric[]": ["{1e40}", "{NaN,1e-38}"],
    "address": [f"(a,1,{'9' * 39})"],
}
UNTRUE_IN_EMULATOR: dict[str, list[str]] = {
    "numeric(38,0)": [NINES, f"-{NINES}"],
    "jsonb": [f"0.{NINES[1:]}"],
}
#: Of these a column can be made, but PostgreSQL reads no value of them.
NO_INPUT = {
    *("gtsvector", "pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list"),
    *("pg_brin_bloom_summary", "pg_brin_minmax_multi_summary"),
}
#: The embedded server is built without libxml.
NOT_BUILT = {"xml"}
