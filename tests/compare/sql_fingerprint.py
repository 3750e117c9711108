#!/usr/bin/python3
"""Everything about a MariaDB server that a restore must bring back, as lines that two equal servers have in common.

  sql_fingerprint.py SOCKET [--accounts] [--next] [--without DB.NAME]... [DATABASE...]

Values are compared as the bytes that are stored or as exact numbers (floats by the double that they are, with the sign of a
zero; members by number and text); history rows, definitions, keys, programs, the order of triggers, sequences and, with
--accounts, accounts and grants are included.  --next also draws the next value of each sequence, which changes it.
Speaks the protocol itself, asks for raw bytes, and shares nothing with zstore nor with the mariadb client.
"""
import hashlib, socket, struct, sys

SYSTEM = (b"information_schema", b"performance_schema", b"mysql", b"sys")


class Failed(Exception):
    pass


class Server:
    """A connection over a unix socket; rows as lists of bytes or None."""

    def __init__(self, path, user=b"root"):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(600)
        self.s.connect(path)
        self.f = self.s.makefile("rb", 1 << 20)
        self.packet()
        # long password and flag, protocol 4.1, transactions, secure connection; utf8mb4_general_ci
        self.send(1, struct.pack("<IIB23x", 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000, 1 << 30, 45) + user + b"\0\0")
        if self.packet()[:1] != b"\0":
            raise Failed("cannot log in at %s" % path)
        for text in ("SET NAMES utf8mb4", "SET character_set_results = NULL", "SET SESSION sql_mode = '', time_zone = '+00:00', sql_select_limit = DEFAULT, "
                     "system_versioning_asof = DEFAULT, sql_quote_show_create = 1, max_statement_time = 0"):
            self.ask(text)

    def send(self, number, payload):
        assert len(payload) < 0xffffff
        self.s.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)

    def packet(self):
        out = b""
        while True:
            head = self.f.read(4)
            if len(head) < 4:
                raise Failed("the connection was lost")
            n = int.from_bytes(head[:3], "little")
            part = self.f.read(n)
            out = out + part if out else part
            if n < 0xffffff:
                break
        if out[:1] == b"\xff":
            raise Failed(out[9:].decode("utf-8", "replace"))
        return out

    @staticmethod
    def fields(p):
        out, i, n = [], 0, len(p)
        while i < n:
            c = p[i]
            i += 1
            if c == 0xfb:
                out.append(None)
                continue
            if c > 0xfb:
                size = {0xfc: 2, 0xfd: 3, 0xfe: 8}[c]
                c = int.from_bytes(p[i:i + size], "little")
                i += size
            out.append(p[i:i + c])
            i += c
        return out

    def ask(self, text):
        """The rows of one statement, one at a time."""
        self.send(0, b"\3" + (text if isinstance(text, bytes) else text.encode()))
        p = self.packet()
        if p[:1] == b"\0":
            return []
        for _ in range(p[0] if p[0] < 0xfb else int.from_bytes(p[1:3], "little")):
            self.packet()
        self.packet()
        out = []
        while True:
            p = self.packet()
            if p[:1] == b"\xfe" and len(p) < 9:
                return out
            out.append(self.fields(p))


def q(name):
    return b"`" + name.replace(b"`", b"``") + b"`"


def lit(name):
    return b"X'" + name.hex().encode() + b"'"


def word(value):
    """A value as text without blanks at its ends, tabs or newlines; long ones by their hash."""
    if value is None:
        return "NULL"
    if len(value) > 400:
        return "%d:%s" % (len(value), hashlib.sha256(value).hexdigest())
    return repr(value)[1:]


class Print:
    def __init__(self, server, options):
        self.ask, self.options = server.ask, options

    def show(self, what, *parts):
        print("\t".join([what] + [word(p) for p in parts]))

    def listed(self, what, columns, source, order=None):
        """Rows of a dictionary's table."""
        text = "SELECT %s FROM %s" % (", ".join("CAST(%s AS BINARY)" % c for c in columns), source)
        rows = self.ask(text + (" ORDER BY " + order if order else ""))
        for r in rows if order else sorted(set(map(tuple, rows)), key=repr):
            self.show(what, *r)

    def show_create(self, what, kind, name):
        try:
            for r in self.ask(b"SHOW CREATE " + kind + b" " + name):
                self.show(what, name, *r[1:5])
        except Failed as e:
            self.show(what, name, b"ERROR " + str(e).encode())

    # ------------------------------------------------------------------ rows

    def columns(self, db, name):
        return self.ask(b"SELECT COLUMN_NAME, DATA_TYPE, COALESCE(GENERATION_EXPRESSION, '') FROM information_schema.COLUMNS WHERE CAST(TABLE_SCHEMA AS BINARY) = " +
                        lit(db) + b" AND CAST(TABLE_NAME AS BINARY) = " + lit(name) + b" ORDER BY ORDINAL_POSITION")

    @staticmethod
    def values_of(column, kind):
        c = q(column)
        if kind in (b"float", b"double"):
            return [b"CONCAT(" + c + b" + 0e0)", b"ATAN2(0, " + c + b") > 1 AND " + c + b" = 0"]
        if kind in (b"enum", b"set"):
            return [c + b" + 0", c]
        return [c]

    def rows(self, db, name, kind):
        columns = self.columns(db, name)
        chosen = [v for c in columns for v in self.values_of(c[0], c[1])]
        source = q(db) + b"." + q(name)
        if kind == b"SYSTEM VERSIONED":
            source += b" FOR SYSTEM_TIME ALL"
            if not any(c[2].upper() == b"ROW START" for c in columns):
                chosen += [b"ROW_START", b"ROW_END"]
        try:
            rows = self.ask(b"SELECT " + b", ".join(chosen) + b" FROM " + source)
        except Failed as e:
            self.show("rows", db, name, b"ERROR " + str(e).encode())
            return
        self.show("rows", db, name, b"%d" % len(rows))
        for line in sorted("\t".join(word(v) for v in r) for r in rows):
            print("row", word(db), word(name), line, sep="\t")
        try:
            self.show("checksum", *self.ask(b"CHECKSUM TABLE " + q(db) + b"." + q(name) + b" EXTENDED")[0])
        except Failed as e:
            self.show("checksum", db, name, b"ERROR " + str(e).encode())

    # ------------------------------------------------------------------ definitions

    def sequence(self, full):
        self.show_create("sequence", b"SEQUENCE", full)
        self.show("sequence state", full, *self.ask(b"SELECT * FROM " + full)[0])
        if "--next" in self.options:
            try:
                self.show("next", full, *self.ask(b"SELECT NEXTVAL(" + full + b")")[0])
            except Failed as e:
                self.show("next", full, b"ERROR " + str(e).encode())

    def tables(self, db):
        for name, kind, engine, auto, comment in self.ask(
                b"SELECT TABLE_NAME, TABLE_TYPE, ENGINE, AUTO_INCREMENT, TABLE_COMMENT FROM information_schema.TABLES WHERE CAST(TABLE_SCHEMA AS BINARY) = " + lit(db) +
                b" ORDER BY CAST(TABLE_NAME AS BINARY)"):
            full = q(db) + b"." + q(name)
            if db + b"." + name in self.options:
                continue
            if kind == b"VIEW":
                self.show_create("view", b"VIEW", full)
            elif kind == b"SEQUENCE":
                self.sequence(full)
            else:
                self.show("table", full, kind, engine, auto, comment)
                self.show_create("definition", b"TABLE", full)
                self.rows(db, name, kind)

    def dictionary(self, db):
        """What the server says about the parts of tables, whatever SHOW CREATE prints of them."""
        for what, columns, source, schema in (
                ("column", "TABLE_NAME ORDINAL_POSITION COLUMN_NAME COLUMN_DEFAULT IS_NULLABLE COLUMN_TYPE CHARACTER_SET_NAME COLLATION_NAME COLUMN_KEY EXTRA COLUMN_COMMENT "
                 "IS_GENERATED GENERATION_EXPRESSION", "COLUMNS", "TABLE_SCHEMA"),
                ("key", "TABLE_NAME INDEX_NAME SEQ_IN_INDEX COLUMN_NAME NON_UNIQUE COLLATION SUB_PART INDEX_TYPE INDEX_COMMENT IGNORED", "STATISTICS", "TABLE_SCHEMA"),
                ("check", "TABLE_NAME CONSTRAINT_NAME LEVEL CHECK_CLAUSE", "CHECK_CONSTRAINTS", "CONSTRAINT_SCHEMA"),
                ("reference", "TABLE_NAME CONSTRAINT_NAME UNIQUE_CONSTRAINT_SCHEMA REFERENCED_TABLE_NAME UPDATE_RULE DELETE_RULE", "REFERENTIAL_CONSTRAINTS", "CONSTRAINT_SCHEMA"),
                ("reference column", "TABLE_NAME CONSTRAINT_NAME COLUMN_NAME REFERENCED_TABLE_SCHEMA REFERENCED_TABLE_NAME REFERENCED_COLUMN_NAME POSITION_IN_UNIQUE_CONSTRAINT",
                 "KEY_COLUMN_USAGE", "TABLE_SCHEMA"),
                ("partition", "TABLE_NAME PARTITION_NAME SUBPARTITION_NAME PARTITION_ORDINAL_POSITION PARTITION_METHOD PARTITION_EXPRESSION PARTITION_DESCRIPTION PARTITION_COMMENT",
                 "PARTITIONS", "TABLE_SCHEMA"),
                ("view", "TABLE_NAME CHECK_OPTION IS_UPDATABLE DEFINER SECURITY_TYPE CHARACTER_SET_CLIENT COLLATION_CONNECTION ALGORITHM", "VIEWS", "TABLE_SCHEMA"),
                ("parameter", "SPECIFIC_NAME ROUTINE_TYPE ORDINAL_POSITION PARAMETER_MODE PARAMETER_NAME DTD_IDENTIFIER CHARACTER_SET_NAME COLLATION_NAME", "PARAMETERS", "SPECIFIC_SCHEMA")):
            skip = "".join(" AND CAST(TABLE_NAME AS BINARY) <> X'%s'" % o.split(b".", 1)[1].hex() for o in self.options
                           if isinstance(o, bytes) and o.startswith(db + b".") and what != "parameter")
            self.listed("%s of %s" % (what, word(db)), columns.split(), "information_schema.%s WHERE CAST(%s AS BINARY) = X'%s'%s" % (source, schema, db.hex(), skip))

    def programs(self, db):
        at = "WHERE CAST(db AS BINARY) = X'%s'" % db.hex()
        self.listed("program", "db name type specific_name language sql_data_access is_deterministic security_type param_list returns body definer comment character_set_client "
                    "collation_connection db_collation body_utf8 aggregate".split() + ["CONCAT(sql_mode)"], "mysql.proc " + at)
        self.listed("trigger", "EVENT_OBJECT_SCHEMA EVENT_OBJECT_TABLE ACTION_TIMING EVENT_MANIPULATION ACTION_ORDER TRIGGER_NAME ACTION_STATEMENT SQL_MODE DEFINER "
                    "CHARACTER_SET_CLIENT COLLATION_CONNECTION DATABASE_COLLATION".split(), "information_schema.TRIGGERS WHERE CAST(TRIGGER_SCHEMA AS BINARY) = X'%s'" % db.hex(),
                    "CAST(EVENT_OBJECT_TABLE AS BINARY), ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER")
        self.listed("event", "db name body definer execute_at interval_value interval_field starts ends status on_completion comment time_zone character_set_client "
                    "collation_connection db_collation body_utf8".split() + ["CONCAT(sql_mode)"], "mysql.event " + at)

    # ------------------------------------------------------------------ accounts

    def lost_rights(self):
        """On tables that are gone: they stay with the account, but nobody can grant them again."""
        lost = self.ask("SELECT p.Db, p.Table_name, p.Table_priv FROM mysql.tables_priv p LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = p.Db AND "
                        "t.TABLE_NAME = p.Table_name WHERE t.TABLE_NAME IS NULL")
        return {(db, table) for db, table, rights in lost if b"Create" not in rights.split(b",")}

    def accounts(self):
        lost = self.lost_rights()
        here = self.ask("SELECT @@hostname")[0][0]
        for user, host, is_role, default, priv in self.ask(
                "SELECT User, Host, JSON_VALUE(Priv, '$.is_role'), JSON_VALUE(Priv, '$.default_role'), "
                # what SHOW says better, or of when and by which version
                "CONCAT(JSON_REMOVE(Priv, '$.access', '$.version_id', '$.plugin', '$.authentication_string', '$.password_last_changed', '$.password_lifetime'), "
                "COALESCE(JSON_VALUE(Priv, '$.password_lifetime'), -1), JSON_VALUE(Priv, '$.password_last_changed') = 0) FROM mysql.global_priv ORDER BY CAST(User AS BINARY), CAST(Host AS BINARY)"):
            if host == here and user in (b"", b"root") or user == b"mariadb.sys":
                continue
            name = lit(user) if is_role else b"'" + user.replace(b"\\", b"\\\\").replace(b"'", b"''") + b"'@'" + host + b"'"
            self.show("account", user, host, is_role, default, priv)
            if not is_role:
                self.show("create user", *self.ask(b"SHOW CREATE USER " + name)[0])
            if user != b"PUBLIC":
                for r in sorted({tuple(g) for g in self.ask(b"SHOW GRANTS FOR " + (q(user) if is_role else name))}):  # proxies of '' and of '%' look the same
                    if not any(b" ON " + q(db) + b"." + q(t) + b" TO " in r[0] for db, t in lost):
                        self.show("grant", user, host, *r)
        for table, columns in (("roles_mapping", "Host User Role Admin_option"), ("db", None), ("tables_priv", "Host Db User Table_name Table_priv Column_priv"),
                               ("columns_priv", "Host Db User Table_name Column_name Column_priv"), ("procs_priv", "Host Db User Routine_name Routine_type Proc_priv"),
                               ("proxies_priv", "Host User IF(Proxied_host='','%',Proxied_host) Proxied_user With_grant")):
            names = columns.split() if columns else [c[0].decode() for c in self.columns(b"mysql", table.encode())]
            also = "" if table != "tables_priv" else "".join(" AND (Db, Table_name) <> (X'%s', X'%s')" % (d.hex(), t.hex()) for d, t in lost)
            self.listed(table, ["CONCAT(%s)" % n for n in names], "mysql.%s WHERE User <> 'mariadb.sys' AND Host <> X'%s'%s" % (table, here.hex(), also))

    def all(self, names):
        for (db,) in self.ask("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY CAST(SCHEMA_NAME AS BINARY)"):
            if db not in SYSTEM and (not names or db in names):
                self.show_create("database", b"DATABASE", q(db))
                self.tables(db)
                self.dictionary(db)
                self.programs(db)
        if "--accounts" in self.options:
            self.accounts()


def main(arguments):
    path, options, names = arguments.pop(0), set(), []
    while arguments:
        a = arguments.pop(0)
        if a == "--without":
            options.add(arguments.pop(0).encode())
        elif a.startswith("--"):
            options.add(a)
        else:
            names.append(a.encode())
    Print(Server(path), options).all(names)
    print("end")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failed, OSError) as e:
        sys.exit("sql_fingerprint: %s" % e)
