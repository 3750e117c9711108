#!/bin/bash
# What is damaged costs only what it holds: other snapshots come out, the next backup is whole again.
. "$(dirname "$0")/lib.sh"
mkdir src
for i in $(seq 1 40); do head -c 30000 /dev/urandom >src/$i; done
for i in $(seq 1 300); do echo "small $i" >src/s$i; done
touch -d '1 hour ago' src/*
sleep 2.1 # nothing is racy any more
quick_init
z 0 backup --json src
old=$(json 'd["snapshot"]')
cp -a src src.1
echo more >src/more
z 0 backup --json src
new=$(json 'd["snapshot"]')
cp -a repo whole
heal() { rm -rf repo && cp -a whole repo; }

# a damaged snapshot: the other one is listed and extracted; it can be named whole to be forgotten, then all is well
printf X | dd of=repo/snapshots/$old bs=1 seek=60 conv=notrunc status=none
z 4 ls latest
out_has src
err_has "$old is damaged"
z 4 extract $new -C back
err_has "$old is damaged"
same src back/src
z 4 extract latest:src/more --stdout
[ "$(cat out)" = more ] || die "wrong content"
z 1,2 forget ${old:0:12}
z 0 forget $old
z 0 ls latest
z 0 prune --keep-last 1
z 0 check --read-data
heal; rm -rf back

# packs that are cut off are not relied on either
for p in repo/packs/*/*; do truncate -s 50000 $p; done
z 0 backup --json src
err_has 'cut off'
z 0 extract latest -C back
same src back/src
z 4 check
# nothing needs them any more: a prune takes them off the books
z 0 prune --keep-last 1
z 0 check --read-data
rm -rf back; z 0 extract latest -C back
same src back/src
heal; rm -rf back

# a pack is gone, and nothing was stored again: a prune deletes nothing
rm "$(ls -t repo/packs/*/* | tail -1)"
find repo/packs -type f | sort >before
z 4 prune --keep-last 1 --max-unused 0
z 4 prune --keep-last 5 --max-unused 0
find repo/packs -type f | sort | cmp - before || die "prune deleted packs of a damaged repository"
heal

# the pack with the newest tree is gone: everything is read again, and what was lost is stored again
rm "$(ls -t repo/packs/*/* | head -1)"
z 0 backup --json src
err_has 'previous snapshot'
err_has 'is missing'
json_is 'd["partial"]' false
z 0 extract latest -C back
same src back/src
rm -rf back
z 0 prune --keep-last 1 --max-unused 0
z 0 check --read-data
z 0 extract latest -C back
same src back/src
