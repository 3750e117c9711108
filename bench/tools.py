"""How each program is asked to do the same thing: encrypted, zstd level 3, a cache directory of its own.

Every method gives a list of commands; their costs are added up.  The three are unlocked by a passphrase, each with its
own key stretching; zstore also has a key file, used for "one message" only.
"""
import os, subprocess

PASSPHRASE = "only for this benchmark"


class Tool:
    name = ""

    def __init__(self, program, work):
        self.program = program
        self.home = os.path.join(work, self.name)
        self.repo = os.path.join(self.home, "repository")
        self.env = {"PATH": os.environ["PATH"], "HOME": self.home, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        os.makedirs(self.home)

    def version(self):
        return subprocess.run([self.program, *self.version_args], env=self.env, capture_output=True, text=True,
                              check=True).stdout.splitlines()[0].strip()

    def at(self, repo):
        """The same tool with another repository."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__, repo=os.path.join(self.home, repo), env=dict(self.env))
        other.settle()
        return other

    def settle(self):
        """Environment that depends on the repository."""


class Zstore(Tool):
    name, version_args = "zstore", ["version"]

    def __init__(self, program, work):
        super().__init__(program, work)
        self.key = os.path.join(self.home, "key")
        self.settle()

    def settle(self):
        self.env.update(ZSTORE_REPO=self.repo, ZSTORE_PASSPHRASE=PASSPHRASE,
                        ZSTORE_CACHE_DIR=os.path.join(self.home, "cache"))

    def init(self):
        return [[self.program, "init", "--no-recovery", "--compression", "zstd:3"],
                [self.program, "key", "add", "--new-key-file", self.key]]

    def backup(self, label, tree):
        return [[self.program, "backup", "--tag", label, tree]]

    def listing(self, label):
        return [[self.program, "ls", "-R", "latest"]]

    def one(self, label, path):
        return [[self.program, "extract", "latest:" + path, "--stdout"]]

    def one_by_key_file(self, label, path):
        return [[self.program, "extract", "--key-file", self.key, "latest:" + path, "--stdout"]]

    def restore(self, label, to):
        return [[self.program, "extract", "latest", "-C", to]]

    def check(self):
        return [[self.program, "check"]]

    def verify(self):
        return [[self.program, "check", "--read-data"]]

    def prune(self):
        return [[self.program, "prune", "--keep-last", "1"]]


class Borg(Tool):
    name, version_args = "borg", ["--version"]

    def __init__(self, program, work):
        super().__init__(program, work)
        self.env.update(BORG_PASSPHRASE=PASSPHRASE, BORG_BASE_DIR=self.home)

    def archive(self, label):
        return self.repo + "::" + label

    def init(self):
        return [[self.program, "init", "--encryption", "repokey-blake2", self.repo]]

    def backup(self, label, tree):
        return [[self.program, "create", "--compression", "zstd,3", self.archive(label), tree]]

    def listing(self, label):
        return [[self.program, "list", "--short", self.archive(label)]]

    def one(self, label, path):
        return [[self.program, "extract", "--stdout", self.archive(label), path]]

    def restore(self, label, to):
        return [[self.program, "extract", self.archive(label)]]  # into the working directory

    def check(self):
        return [[self.program, "check", self.repo]]

    def verify(self):
        return [[self.program, "check", "--verify-data", self.repo]]

    def prune(self):
        return [[self.program, "prune", "--keep-last", "1", self.repo], [self.program, "compact", self.repo]]


class Restic(Tool):
    name, version_args = "restic", ["version"]

    def __init__(self, program, work):
        super().__init__(program, work)
        self.settle()

    def settle(self):
        self.env.update(RESTIC_PASSWORD=PASSPHRASE, RESTIC_REPOSITORY=self.repo,
                        RESTIC_CACHE_DIR=os.path.join(self.home, "cache"))

    def init(self):
        return [[self.program, "init", "--repository-version", "2"]]

    def backup(self, label, tree):
        return [[self.program, "backup", "--quiet", "--compression", "auto", "--tag", label, tree]]

    def listing(self, label):
        return [[self.program, "ls", "--quiet", "latest"]]

    def one(self, label, path):
        return [[self.program, "dump", "latest", "/" + path]]

    def restore(self, label, to):
        return [[self.program, "restore", "--quiet", "latest", "--target", to]]

    def check(self):
        return [[self.program, "check", "--quiet"]]

    def verify(self):
        return [[self.program, "check", "--quiet", "--read-data"]]

    def prune(self):
        return [[self.program, "forget", "--quiet", "--keep-last", "1", "--prune"]]


TOOLS = {t.name: t for t in (Zstore, Borg, Restic)}
