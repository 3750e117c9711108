#!/usr/bin/python3
"""Everything about a MariaDB server that a restore must bring back, as lines that two equal servers have in common.

  sql_fingerprint.py SOCKET [--accounts] [DATABASE...]

Values are compared as raw bytes (HEX of the stored form) or as exact numbers; history rows, definitions, programs, the order of
triggers, sequences and, with --accounts, accounts and grants are included.  Works through the mariadb client only and shares
nothing with zstore.
"""
import subprocess, sys

SYSTEM = ("information_schema", "performance_schema", "mysql", "sys")


def ask(sql, socket=None):
    done = subprocess.run(["mariadb", "--no-defaults", "--default-character-set=utf8mb4", "--socket=" + SOCKET, "-uroot", "-N", "-B", "--raw"],
                          input=("SET SESSION sql_mode='', time_zone='+00:00', sql_select_limit=DEFAULT;\n" + sql).encode(), capture_output=True, timeout=600)
    if done.returncode:
        raise SystemExit("%s\n%s" % (sql[:300], done.stderr.decode(errors="replace")))
    return done.stdout


def rows(sql):
    """Rows of hexadecimal columns: so no separator can be in them."""
    text = ask(sql).decode("ascii")
    return [[None if c == "NULL" else bytes.fromhex(c) for c in line.split("\t")] for line in text.splitlines()]


def q(name):
    return b"`" + name.replace(b"`", b"``") + b"`"


def hexed(*columns):
    return ", ".join("HEX(CAST(%s AS BINARY))" % c for c in columns)


def value_of(name, kind):
    column = q(name).decode("utf-8")
    if kind in ("float", "double"):
        return "HEX(CONCAT(%s+0e0))" % column
    if kind == "bit":
        return "HEX(CONCAT(%s+0))" % column
    if kind == "enum":
        return "HEX(CONCAT(%s+0,':',HEX(%s)))" % (column, column)
    if kind == "set":
        return "HEX(CONCAT(%s+0))" % column
    if kind in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob",
                "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection"):
        return "HEX(%s)" % column
    return "HEX(CONCAT(%s))" % column


def show(what, *parts):
    print(what, *["NULL" if p is None else repr(p)[2:-1] for p in parts], sep="\t")


def table(db, name, engine_type):
    columns = rows("SELECT %s FROM information_schema.COLUMNS WHERE BINARY TABLE_SCHEMA = X'%s' AND BINARY TABLE_NAME = X'%s' ORDER BY ORDINAL_POSITION" % (
        hexed("COLUMN_NAME", "DATA_TYPE", "IFNULL(GENERATION_EXPRESSION, '')"), db.hex(), name.hex()))
    chosen = [value_of(c[0], c[1].decode()) for c in columns]
    source = (q(db) + b"." + q(name)).decode("utf-8")
    if engine_type == b"SYSTEM VERSIONED":
        source += " FOR SYSTEM_TIME ALL"
        if not any(c[2].upper() == b"ROW START" for c in columns):
            chosen += ["HEX(CONCAT(ROW_START))", "HEX(CONCAT(ROW_END))"]
    lines = ask("SELECT %s FROM %s" % (", ".join(chosen), source)).decode("ascii").splitlines()
    show("rows", db, name, str(len(lines)).encode())
    for line in sorted(lines):
        print("row", repr(db)[2:-1], repr(name)[2:-1], line, sep="\t")


def definition(kind, name):
    text = ask("SHOW CREATE %s %s" % (kind, name.decode("utf-8")))
    return text.replace(b"\r", b"\\r")


def database(db):
    show("database", db, definition("DATABASE", q(db)))
    tables = rows("SELECT %s FROM information_schema.TABLES WHERE BINARY TABLE_SCHEMA = X'%s' ORDER BY CAST(TABLE_NAME AS BINARY)" % (
        hexed("TABLE_NAME", "TABLE_TYPE", "IFNULL(ENGINE, '')"), db.hex()))
    for name, kind, engine in tables:
        full = q(db) + b"." + q(name)
        if kind == b"VIEW":
            show("view", db, name, definition("VIEW", full))
        elif kind == b"SEQUENCE":
            show("sequence", db, name, definition("SEQUENCE", full))
            show("next", db, name, ask("SELECT NEXTVAL(%s)" % full.decode("utf-8")))
        else:
            show("table", db, name, definition("TABLE", full))
            if engine not in (b"MRG_MyISAM", b"MRG_MYISAM", b"FEDERATED"):
                table(db, name, kind)
    programs = rows("SELECT %s FROM mysql.proc WHERE BINARY db = X'%s' ORDER BY CAST(name AS BINARY), type" % (
        hexed("name", "type", "language", "sql_data_access", "is_deterministic", "security_type", "param_list", "returns", "body", "definer", "sql_mode",
              "comment", "character_set_client", "collation_connection", "db_collation", "aggregate"), db.hex()))
    for p in programs:
        show("program", db, *p)
    for p in rows("SELECT %s FROM information_schema.TRIGGERS WHERE BINARY TRIGGER_SCHEMA = X'%s' ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, "
                  "EVENT_MANIPULATION, ACTION_ORDER" % (
                  hexed("EVENT_OBJECT_TABLE", "TRIGGER_NAME", "ACTION_TIMING", "EVENT_MANIPULATION", "ACTION_ORDER", "ACTION_STATEMENT", "SQL_MODE", "DEFINER",
                        "CHARACTER_SET_CLIENT", "COLLATION_CONNECTION", "DATABASE_COLLATION"), db.hex())):
        show("trigger", db, *p)
    for p in rows("SELECT %s FROM mysql.event WHERE BINARY db = X'%s' ORDER BY CAST(name AS BINARY)" % (
                  hexed("name", "body", "definer", "interval_value", "interval_field", "starts", "ends", "status", "on_completion", "sql_mode", "comment", "time_zone",
                        "character_set_client", "collation_connection", "db_collation"), db.hex())):
        show("event", db, *p)


def accounts():
    for u in rows("SELECT %s FROM mysql.global_priv WHERE Host NOT IN (SELECT @@hostname) ORDER BY CAST(User AS BINARY), CAST(Host AS BINARY)" % hexed(
            "User", "Host", "JSON_VALUE(Priv, '$.authentication_string')", "JSON_VALUE(Priv, '$.default_role')", "JSON_VALUE(Priv, '$.account_locked')",
            "JSON_VALUE(Priv, '$.ssl_type')", "JSON_VALUE(Priv, '$.max_user_connections')", "JSON_VALUE(Priv, '$.is_role')")):
        show("account", *[c or None for c in u])
    for t, columns in (("roles_mapping", ("Host", "User", "Role", "Admin_option")), ("db", ("Host", "Db", "User", "Select_priv", "Grant_priv", "Execute_priv")),
                       ("columns_priv", ("Host", "Db", "User", "Table_name", "Column_name", "Column_priv")),
                       ("procs_priv", ("Host", "Db", "User", "Routine_name", "Routine_type", "Proc_priv"))):
        for r in sorted(rows("SELECT %s FROM mysql.%s" % (hexed(*columns), t))):
            show(t, *r)
    # rights on tables that exist: those on others cannot be granted again
    for r in sorted(rows("SELECT %s FROM mysql.tables_priv p JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = p.Db AND t.TABLE_NAME = p.Table_name "
                         "WHERE p.User <> 'mariadb.sys'" % hexed("p.Host", "p.Db", "p.User", "p.Table_name", "p.Table_priv", "p.Column_priv"))):
        show("tables_priv", *r)


def main(arguments):
    global SOCKET
    SOCKET = arguments.pop(0)
    with_accounts = "--accounts" in arguments
    names = [a.encode() for a in arguments if a != "--accounts"]
    found = [d[0] for d in rows("SELECT %s FROM information_schema.SCHEMATA ORDER BY CAST(SCHEMA_NAME AS BINARY)" % hexed("SCHEMA_NAME"))]
    for db in found:
        if db.decode("utf-8", "replace") not in SYSTEM and (not names or db in names):
            database(db)
    if with_accounts:
        accounts()


if __name__ == "__main__":
    main(sys.argv[1:])
