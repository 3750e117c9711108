# The comparer of MariaDB servers must itself be trusted: two loads of the same are equal, and each single change is noticed.
FAST=1
. "$(dirname "$0")/../e2e/lib.sh"
. "$here/services.sh"
command -v mariadbd >/dev/null || skip "no mariadbd (package mariadb-server-core)"
trap 'services_down; cleanup' EXIT
chmod 755 "$T"
m="$T/m"
mariadb_up "$m" --log-bin-trust-function-creators=1 || die "mariadbd"

cat >base.sql <<'S'
SET NAMES utf8mb4, sql_mode = '', time_zone = '+00:00';
DROP DATABASE IF EXISTS f; DROP USER IF EXISTS u@localhost, second@localhost; DROP ROLE IF EXISTS r, s;
CREATE DATABASE f COMMENT 'c'; USE f;
CREATE TABLE v (id INT PRIMARY KEY, f FLOAT, d DOUBLE, b BLOB, t VARCHAR(20), sj VARCHAR(20) CHARACTER SET sjis, e ENUM('a', ''), s SET('x', 'y'), bi BIT(9), ts TIMESTAMP(6) NULL, dt DATE, n DECIMAL(20,10), g GEOMETRY,
  inv INT INVISIBLE DEFAULT 5, gen INT AS (id + 1) VIRTUAL, c INT CHECK (c > 0), KEY k (t));
INSERT INTO v(id, f, d, b, t, sj, e, s, bi, ts, dt, n, g, inv, c) VALUES (1, 16777216, 0.1, X'00', 'a', _sjis 0x835C, '', 'x', 5, '2024-01-01 00:00:00.000001', '0000-00-00', 1.5, ST_GeomFromText('POINT(1 2)', 4326), 7, 1),
  (2, 0, 0, '', '', '', 'a', '', 0, NULL, NULL, 0, NULL, 1, 1);
CREATE TABLE twice (a INT); INSERT INTO twice VALUES (1), (1), (2);
CREATE TABLE h (id INT PRIMARY KEY, t INT) WITH SYSTEM VERSIONING;
SET timestamp = 1700000000.000001; INSERT INTO h VALUES (1, 1); SET timestamp = 1700000001; UPDATE h SET t = 2; SET timestamp = DEFAULT;
CREATE TABLE ai (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 50;
CREATE TABLE p (a INT PRIMARY KEY, b INT, KEY (b)) COMMENT 'x' PARTITION BY RANGE (a) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE parent (id INT PRIMARY KEY) ENGINE = InnoDB; CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE) ENGINE = InnoDB;
CREATE SEQUENCE q START WITH 5 NOCACHE; DO NEXTVAL(q);
CREATE VIEW w AS SELECT id FROM v WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE FUNCTION fu(a INT) RETURNS INT DETERMINISTIC COMMENT 'c' RETURN a;
CREATE PROCEDURE pr() SELECT 1;
CREATE TRIGGER t1 BEFORE INSERT ON twice FOR EACH ROW SET @a = 1;
CREATE TRIGGER t2 BEFORE INSERT ON twice FOR EACH ROW SET @a = 2;
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' DO SELECT 1;
CREATE USER u@localhost IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 3; CREATE ROLE r; CREATE ROLE s; GRANT r TO u@localhost; SET DEFAULT ROLE r FOR u@localhost;
GRANT SELECT ON f.* TO u@localhost; GRANT SELECT (id) ON f.v TO u@localhost; GRANT EXECUTE ON PROCEDURE f.pr TO u@localhost; GRANT PROXY ON u@localhost TO root@localhost;
S
load() { sql "$m" <base.sql >/dev/null || die "the base does not load"; }
print() { /usr/bin/python3 "$here/compare/sql_fingerprint.py" "$m/s.sock" --accounts "$@" f || die "no fingerprint"; }
load
print >base.1
[ "$(tail -1 base.1)" = end ] || die "no end"
print >base.2
cmp -s base.1 base.2 || die "two looks at the same differ: $(diff base.1 base.2 | head -3)"
load
print >base.2
cmp -s base.1 base.2 || die "two loads of the same differ: $(diff base.1 base.2 | head -3)"

changes=0
while IFS= read -r change; do
	[ -n "$change" ] || continue
	sql "$m" f -e "SET sql_mode = '', foreign_key_checks = 0; $change" >/dev/null || die "$change"
	print >changed
	! cmp -s base.1 changed || die "not noticed: $change"
	load
	changes=$((changes + 1))
done <<'S'
UPDATE v SET f = 16777218 WHERE id = 1
UPDATE v SET f = -1e-60 WHERE id = 2
UPDATE v SET d = 0.10000000000000002 WHERE id = 1
UPDATE v SET d = 5e-324 WHERE id = 2
UPDATE v SET b = '' WHERE id = 1
UPDATE v SET b = NULL WHERE id = 2
UPDATE v SET b = X'0000' WHERE id = 1
UPDATE v SET t = 'A' WHERE id = 1
UPDATE v SET t = 'a ' WHERE id = 1
UPDATE v SET sj = _sjis 0x815F WHERE id = 1
UPDATE IGNORE v SET e = 0 WHERE id = 1
UPDATE v SET s = 'x,y' WHERE id = 1
UPDATE v SET bi = 261 WHERE id = 1
UPDATE v SET ts = '2024-01-01 00:00:00.000002' WHERE id = 1
UPDATE v SET dt = '2024-02-00' WHERE id = 1
UPDATE v SET n = 1.5000000001 WHERE id = 1
UPDATE v SET g = ST_GeomFromText('POINT(1 2)', 4327) WHERE id = 1
UPDATE v SET inv = 8 WHERE id = 1
DELETE FROM v WHERE id = 2
INSERT INTO twice VALUES (2)
DELETE FROM twice LIMIT 1
UPDATE twice SET a = 2 WHERE a = 1 LIMIT 1
SET @@timestamp = 1700000002; UPDATE h SET t = 2
SET @@system_versioning_alter_history = KEEP; DELETE HISTORY FROM h
SET @@timestamp = 1700000000.000002, system_versioning_insert_history = 1; DELETE FROM h; DELETE HISTORY FROM h; INSERT INTO h(id, t, ROW_START, ROW_END) VALUES (1, 1, '2023-11-14 22:13:20.000002', '2023-11-14 22:13:21'), (1, 2, '2023-11-14 22:13:21', '2038-01-19 03:14:07.999999')
ALTER TABLE ai AUTO_INCREMENT = 51
ALTER TABLE v MODIFY inv INT INVISIBLE DEFAULT 6
ALTER TABLE v MODIFY inv INT DEFAULT 5
ALTER TABLE v MODIFY gen INT AS (id + 2) VIRTUAL
ALTER TABLE v ADD KEY k2 (dt)
ALTER TABLE v ALTER KEY k IGNORED
ALTER TABLE v MODIFY c INT
ALTER TABLE v MODIFY c INT CHECK (c > 1)
ALTER TABLE v MODIFY t VARCHAR(20) COMMENT 'new'
ALTER TABLE v MODIFY e ENUM('a', '', 'b')
ALTER TABLE v ROW_FORMAT = COMPACT
ALTER TABLE v ENGINE = MyISAM
ALTER TABLE p COMMENT 'y'
ALTER TABLE p REORGANIZE PARTITION p0 INTO (PARTITION pa VALUES LESS THAN (5), PARTITION pb VALUES LESS THAN (10))
ALTER TABLE child DROP FOREIGN KEY fk, ADD CONSTRAINT fk2 FOREIGN KEY (p) REFERENCES parent (id)
CREATE TABLE new_ (a INT)
DROP TABLE parent
DO NEXTVAL(q)
ALTER SEQUENCE q MAXVALUE 1000
CREATE OR REPLACE VIEW w AS SELECT id FROM v WHERE id > 0
CREATE OR REPLACE SQL SECURITY INVOKER VIEW w AS SELECT id FROM v WHERE id > 0 WITH LOCAL CHECK OPTION
SET NAMES latin1; CREATE OR REPLACE VIEW w AS SELECT id FROM v WHERE id > 0 WITH LOCAL CHECK OPTION
ALTER FUNCTION fu COMMENT 'd'
CREATE OR REPLACE FUNCTION fu(a INT) RETURNS INT DETERMINISTIC COMMENT 'c' RETURN a + 0
SET sql_mode = 'ANSI'; CREATE OR REPLACE PROCEDURE pr() SELECT 1
CREATE OR REPLACE DEFINER = x@y PROCEDURE pr() SELECT 1
CREATE OR REPLACE TRIGGER t2 BEFORE INSERT ON twice FOR EACH ROW PRECEDES t1 SET @a = 2
DROP TRIGGER t2
ALTER EVENT ev DISABLE
ALTER EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:01'
SET time_zone = '+01:00'; CREATE OR REPLACE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 01:00:00' DO SELECT 1
ALTER DATABASE f COMMENT 'd'
ALTER DATABASE f COLLATE utf8mb4_bin
ALTER USER u@localhost IDENTIFIED BY 'y'
ALTER USER u@localhost ACCOUNT LOCK
ALTER USER u@localhost PASSWORD EXPIRE
ALTER USER u@localhost WITH MAX_USER_CONNECTIONS 4
ALTER USER u@localhost REQUIRE SSL
SET DEFAULT ROLE NONE FOR u@localhost
GRANT r TO u@localhost WITH ADMIN OPTION
GRANT s TO r
GRANT INSERT ON f.* TO u@localhost
GRANT SELECT (d) ON f.v TO u@localhost
REVOKE EXECUTE ON PROCEDURE f.pr FROM u@localhost
REVOKE PROXY ON u@localhost FROM root@localhost
CREATE USER second@localhost
S
# a value that no statement of the server could show as hexadecimal digits
sql "$m" -e "CREATE TABLE f.long_ (l LONGBLOB); INSERT INTO f.long_ VALUES (REPEAT('x', 12000000))" || die "a long value"
print >long.1
sql "$m" -e "UPDATE f.long_ SET l = CONCAT(LEFT(l, 11999999), 'y')" || die "a long value"
print >long.2
! cmp -s long.1 long.2 || die "not noticed: the last byte of a long value"
[ "$changes" -gt 65 ] || die "only $changes changes were made"
print --next >next.1
print --next >next.2
! cmp -s next.1 next.2 || die "drawing a number changes nothing"
echo "$changes changes noticed"
