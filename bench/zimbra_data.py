#!/usr/bin/python3
"""zimbra_data.py DIR MAILBOXES ITEMS shared|rows|distinct GROUPS [MAIL]: what bench/zimbra.sh measures with.

Writes the rows as SQL to standard output, the accounts to DIR/accounts.ldif and blobs into DIR/store.  shared: all messages are hard
links to 500 blobs; rows: so are those of the first MAIL mailboxes (20), all others have conversations and contacts without blobs, half
and half; distinct: each message has its own, pseudo-text and an attachment of random bytes in every third.
"""
import base64, hashlib, os, random, sys, uuid

here = os.path.dirname(os.path.abspath(__file__))
top, mailboxes, items, kind, groups = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
mail = int((sys.argv[6:] or ["20"])[0]) if kind == "rows" else mailboxes  # mailboxes with messages
rng = random.Random(4711)
WORDS = ["".join(rng.choice("abcdefghijklmnoprstuvwz") for _ in range(rng.randint(2, 10))) for _ in range(4000)]
FOLDERS = [(11, 11, "ROOT"), (1, 11, "USER_ROOT"), (8, 11, "Tags"), (9, 11, "Conversations"), (2, 1, "Inbox"), (3, 1, "Trash"), (4, 1, "Junk"),
           (5, 1, "Sent"), (6, 1, "Drafts"), (7, 1, "Contacts"), (10, 1, "Calendar"), (256, 1, "Archive")]
COLUMNS = ("mailbox_id,id,type,parent_id,folder_id,index_id,imap_id,date,size,locator,blob_digest,unread,flags,sender,subject,name,metadata,"
           "mod_metadata,change_date,mod_content,uuid")


def message(n):
    text = " ".join(rng.choice(WORDS) for _ in range(rng.randint(60, 1500)))
    head = "From: %s@example.test\r\nTo: u@example.test\r\nSubject: %s %d\r\nMessage-ID: <%d@bench>\r\nMIME-Version: 1.0\r\n" % (
        rng.choice(WORDS), rng.choice(WORDS), n, n)
    if kind == "distinct" and n % 3 == 0:
        data = base64.encodebytes(rng.randbytes(rng.randint(5000, 80000))).decode().replace("\n", "\r\n")
        return (head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + text + "\r\n--b\r\nContent-Type: "
                "application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data + "\r\n--b--\r\n").encode()
    return (head + "Content-Type: text/plain\r\n\r\n" + text + "\r\n").encode()


def digest(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode().replace("/", ",")


def without_blobs(box, group):
    """Conversations and contacts, half and half.  Numbers are of fixed width: so the lengths in the metadata are right."""
    of_type = {
        4: ("NULL,9,NULL,NULL", "2,NULL,NULL,NULL,0,NULL,CONCAT('subject of ',MD5(NUMBER)),NULL,'d3:prtld1:a20:petra@elsewhere.test1:p5:Petraee1:vi10e3:veri1ee'"),
        6: ("NULL,7,256+seq,256+seq", "0,NULL,NULL,0,0,CONCAT('Person ',NUMBER),CONCAT('Person ',NUMBER),NULL,CONCAT('d3:fldd7:company12:Company ',LPAD(seq%97,4,'0'),"
            "'5:email22:p',NUMBER,'@example.test8:fullName15:Person ',NUMBER,'11:mobilePhone11:+49',NUMBER,'e1:vi10e3:veri1ee')")}
    for kind_of_item, (places, values) in of_type.items():
        out("INSERT INTO mboxgroup%d.mail_item (%s) SELECT %d,256+seq,%d,%s,1700000000+seq*600,%s,seq,1700000000+seq*600,seq,NULL FROM seq_1_to_%d WHERE seq%%2=%d;\n" % (
            group, COLUMNS, box, kind_of_item, places, values.replace("NUMBER", "LPAD(%d+seq,8,'0')" % (box * items)), items, kind_of_item == 6))


pool = []
if kind != "distinct":
    os.makedirs(top + "/pool")
    for n in range(500):
        data = message(n)
        path = "%s/pool/%d" % (top, n)
        open(path, "wb").write(data)
        pool.append((path, len(data), digest(data)))
out = sys.stdout.write
out("SET foreign_key_checks=0; SET unique_checks=0; SET autocommit=0;\nREPLACE INTO zimbra.volume (id,type,name,path,file_bits,file_group_bits,mailbox_bits,"
    "mailbox_group_bits,compress_blobs,compression_threshold) VALUES (1,1,'message1','%s/store',12,8,12,8,0,4096),(2,10,'index1','%s/index',12,8,12,8,0,4096);\n"
    "REPLACE INTO zimbra.config (name,value) VALUES ('db.version','118');\n" % (top, top))
for group in range(1, min(groups, mailboxes) + 1):
    out(open(here + "/../tests/fixtures/zimbra/mboxgroup.sql").read().replace("@DB@", "mboxgroup%d" % group))
ldif = open(top + "/accounts.ldif", "w")
for box in range(1, mailboxes + 1):
    account, name, group = str(uuid.UUID(int=box)), "user%d@example.test" % box, (box - 1) % groups + 1
    ldif.write("dn: uid=user%d,ou=people,dc=example,dc=test\nobjectClass: inetOrgPerson\nobjectClass: zimbraAccount\nuid: user%d\ncn: u\nsn: u\nmail: %s\nzimbraId: %s\n"
               "zimbraAccountStatus: active\nzimbraMailDeliveryAddress: %s\nzimbraMailHost: mail.example.test\n\n" % (box, box, name, account, name))
    out("INSERT INTO zimbra.mailbox (id,group_id,account_id,index_volume_id,comment,version) VALUES (%d,%d,'%s',2,'%s','2.7');\n" % (box, group, account, name))
    rows = ["(%d,%d,1,%d,%d,0,NULL,1700000000,0,NULL,NULL,0,0,NULL,NULL,'%s','d1:ai1e1:vi10ee',%d,1700000000,%d,NULL)" % (box, i, p, p, n, i, i) for i, p, n in FOLDERS]
    for n in range(items if box <= mail else 0):
        item = 257 + n
        directory = "%s/store/%d/%d/msg/%d" % (top, box >> 12 & 255, box, item >> 12 & 255)
        if n == 0 or item % 4096 == 0:
            os.makedirs(directory, exist_ok=True)
        path = "%s/%d-%d.msg" % (directory, item, n + 1)
        if kind != "distinct":
            blob, size, dig = pool[(box * 7 + n) % 500]
            os.link(blob, path)
        else:
            data = message(box * items + n)
            size, dig = len(data), digest(data)
            open(path, "wb").write(data)
        subject = "%s %s %s" % (WORDS[n % 4000], WORDS[(box * 31 + n) % 4000], WORDS[(n * 17) % 4000])
        rows.append("(%d,%d,5,NULL,%d,%d,%d,%d,%d,'1','%s',%d,%d,'%s','%s',NULL,'d1:f60:%s1:s20:%s2:vi10ee',%d,%d,%d,'%s')" % (
            box, item, (2, 5, 256)[n % 3], item, item, 1700000000 + n * 600, size, dig, n % 5 == 0, 32 if n % 11 == 0 else 0, WORDS[n % 97], subject,
            (subject * 6)[:60].ljust(60), subject[:20].ljust(20), n + 1, 1700000000 + n * 600, n + 1, uuid.UUID(int=box << 64 | n)))
    for at in range(0, len(rows), 2000):
        out("INSERT INTO mboxgroup%d.mail_item (%s) VALUES\n%s;\n" % (group, COLUMNS, ",\n".join(rows[at:at + 2000])))
    if box > mail:
        without_blobs(box, group)
    out("COMMIT;\n")
