//! Every key of the configuration file, with what the template says of it.

/// Where a key may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// At the top.
    Top,
    /// In `[[source]]`.
    Source,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A path: absolute, or below the home directory as in `~/docs`.
    Path,
    /// `true` or `false`.
    Switch,
    /// A size in bytes with its unit, as in "4M".
    Size,
    /// A duration with its unit, as in "10min".
    Duration,
    /// A timetable of rates, as in "limit 08:00-18:00 = 50k".
    Timetable,
    /// A whole number.
    Count,
    /// A percentage, as in "50%".
    Share,
    /// A text, or a list of texts.
    Texts,
    /// A path, or a list of paths.
    Paths,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// One key.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// Where it may stand.
    pub section: Section,
    /// What its value may be.
    pub kind: Kind,
    /// What it is for; one or two sentences.
    pub about: &'static str,
    /// What counts when it is absent, in words or as a value.
    pub default: &'static str,
    /// An example, as TOML.
    pub example: &'static str,
    /// The global option that does the same.
    pub flag: Option<&'static str>,
    /// The environment variable that does the same.
    pub env: Option<&'static str>,
}

macro_rules! keys {
    ($($constant:ident = $section:ident $name:literal $kind:expr, $about:literal, $default:literal, $example:literal
        $(, flag $flag:literal)? $(, env $env:literal)?;)*) => {
        $(
            // Not the text for people: its brackets are no links.
            #[doc = concat!("The key `", $name, "`; its `about` says what it means.")]
            pub static $constant: Key = Key {
                name: $name,
                section: Section::$section,
                kind: $kind,
                about: $about,
                default: $default,
                example: $example,
                flag: keys!(@option $($flag)?),
                env: keys!(@option $($env)?),
            };
        )*

        /// All of them, in the order of the template.
        pub static ALL: &[&Key] = &[$(&$constant,)*];
    };
    (@option) => { None };
    (@option $value:literal) => { Some($value) };
}

keys! {
    INCLUDE = Top "include" Kind::Texts,
        "Other files to read, relative to the directory of this one; the last part may hold *. What this file says counts \
         before what they say; their [[source]] blocks are added.",
        "none", "\"conf.d/*.toml\"";
    VAULT = Top "vault" Kind::Text,
        "The vault: a directory, ssh://[user@]host[:port]/path, user@host:path, or cmd:COMMAND.",
        "tuckbox/vault in the user's data directory", "\"ssh://backup@example.org/srv/vault\"",
        flag "vault", env "TUCKBOX_VAULT";
    ACCOUNT = Top "account" Kind::Text,
        "The account in the vault.",
        "the one made by init, else the only one that a key on this machine opens", "\"laptop.example.org\"",
        flag "account", env "TUCKBOX_ACCOUNT";
    KEY = Top "key" Kind::Path,
        "A key file that is used instead of those in tuckbox/keys of the configuration directory.",
        "none", "\"~/keys/laptop.key\"",
        flag "key", env "TUCKBOX_KEY";
    PASSWORD_FILE = Top "password_file" Kind::Text,
        "A file that holds the passphrase of the key, or fd:N for a descriptor.",
        "none: asked at the terminal", "\"/run/secrets/tuckbox\"",
        flag "password-file", env "TUCKBOX_PASSWORD_FILE";
    PASSWORD_COMMAND = Top "password_command" Kind::Text,
        "A command that prints the passphrase of the key. Run directly, not by a shell.",
        "none: asked at the terminal", "\"pass show tuckbox\"",
        flag "password-command", env "TUCKBOX_PASSWORD_COMMAND";
    SSH = Top "ssh" Kind::OneOf(&["auto", "embedded", "system"]),
        "How to reach a vault over SSH: the built-in client, the ssh in PATH, or what fits the SSH configuration.",
        "auto", "\"system\"",
        flag "ssh", env "TUCKBOX_SSH";
    REMOTE_PROGRAM = Top "remote_program" Kind::Text,
        "The program to run on the server.",
        "tuckbox, then the usual places in the user's home", "\"/opt/tuckbox/bin/tuckbox\"",
        flag "remote-program", env "TUCKBOX_REMOTE_PROGRAM";
    STRIPES = Top "stripes" Kind::OneOf(&["auto", "1", "2", "3", "4", "5", "6", "7", "8"]),
        "How many channels of an SSH connection carry bulk at a time: a distant server takes only some 2 MiB a round \
         trip on each. auto adds them one after the other where they help.",
        "auto", "\"1\"",
        env "TUCKBOX_STRIPES";
    RETRY = Top "retry" Kind::Duration,
        "How long a backup tries to reach the vault again, after the connection was lost, before it gives up. The time \
         begins anew whenever something has got through. With 0 it is tried once.",
        "10min", "\"1h\"",
        env "TUCKBOX_RETRY";
    LIMIT = Top "limit" Kind::Timetable,
        "How fast bytes may go: lines, separated by ; of `limit` (or `up`, `down`), days, a time of the day, = and a rate in bytes \
         a second or none. A line with days or a time counts before one without; of those that hold, the last. The server may \
         have a limit of its own: the lower one counts.",
        "none", "\"limit = 1M; up mon-fri 08:00-18:00 = 50k\"",
        flag "limit", env "TUCKBOX_LIMIT";
    PIN_FILE = Top "pin_file" Kind::Path,
        "A second place for the pin, beside the state directory: a file on another disk or machine. What the vault shows \
         may not be shorter than it or different.",
        "none", "\"/media/usb/tuckbox-pins\"",
        env "TUCKBOX_PIN_FILE";
    HOST = Top "host" Kind::Text,
        "The host label of what is backed up, and the name that init gives to a new account.",
        "the full name of this host, lower case", "\"laptop\"",
        env "TUCKBOX_HOST";
    GUARD_SHARE = Top "guard_share" Kind::Share,
        "When more than this share of a source's files would be recorded as removed, they are kept and the run \
         ends with exit 12, until it is run with --accept-deletions. In percent.",
        "50%", "\"30%\"";
    GUARD_MIN = Top "guard_min" Kind::Count,
        "Up to this number of files the share does not matter. In files.",
        "100", "1000";
    PROTECT_MISSING = Top "protect_missing" Kind::Duration,
        "What the guard keeps, because much of a source is gone, is recorded as removed when it has been missing for so \
         long: time to notice a drive that is not mounted. With 0 it is kept until --accept-deletions.",
        "14d", "\"30d\"";
    DELETE_REDUNDANT_AFTER = Top "delete_redundant_after" Kind::Duration,
        "A [[source]] that is removed from this file stays in new versions for so long, as it was: a slip of the pen drops \
         nothing. With 0 it stays for ever. Earlier versions keep it in any case.",
        "2d", "\"7d\"";
    SUSPICIOUS_SHARE = Top "suspicious_share" Kind::Share,
        "When more than this share of a source's files were rewritten or renamed since the version before, the run warns, \
         pins that version and runs `on_suspicion`. The source is backed up all the same. With 100% it never does. In \
         percent. Half is what a person hardly ever does in one go, and what is done by a machine (a new release of \
         a program, a file converted) may well be looked at once.",
        "50%", "\"80%\"";
    SUSPICIOUS_ENCRYPTED = Top "suspicious_encrypted" Kind::Share,
        "The same above this share when those files look encrypted now and what was seen of the source before did not: so \
         little because nothing else does that, and because malice works its way from file to file while backups go on. \
         In percent.",
        "10%", "\"100%\"";
    SUSPICIOUS_MIN = Top "suspicious_min" Kind::Count,
        "Up to this number of files the shares do not matter: small trees often change as a whole. In files.",
        "50", "1000";
    SUSPICIOUS_PIN = Top "suspicious_pin" Kind::Duration,
        "How long the version before is pinned then: as long as it may take until somebody looks. With 0 it is not.",
        "90d", "\"365d\"";
    ON_EVENT = Top "on_event" Kind::Text,
        "A command that hears when an account changes how it is (ok, late, failing, …): `tuckbox status --all --notify` runs \
         it once for each change, with the change as one line of JSON on its standard input. Run directly, not by a shell, \
         for at most 60 seconds.",
        "none", "\"/usr/local/bin/tell-us\"";
    CONTACTS = Top "contacts" Kind::Texts,
        "Who is told of every change, beside the contacts of the account and of its groups. It stands in the JSON; what is \
         done with it is up to the command.",
        "none", "[\"ops@example.org\"]";
    BEFORE = Top "before" Kind::Text,
        "A command that every backup runs first, directly and not by a shell. When it fails, the backup does. In its \
         environment: TUCKBOX_HOOK (before, after or on_failure). What it prints is shown as warnings.",
        "none", "\"systemctl stop wiki\"";
    AFTER = Top "after" Kind::Text,
        "A command that every backup runs last, whatever became of it. In its environment also TUCKBOX_EXIT_CODE and \
         TUCKBOX_VERSION_ID, which is empty when there is no new version.",
        "none", "\"systemctl start wiki\"";
    ON_FAILURE = Top "on_failure" Kind::Text,
        "A command that a backup runs before `after` when its exit status is another than 0. The environment is the same.",
        "none", "\"sh -c 'echo $TUCKBOX_EXIT_CODE | mail -s backup ana'\"";
    ON_SUSPICION = Top "on_suspicion" Kind::Text,
        "A command that a backup runs before those when a source changed suspiciously (see `suspicious_share`), also when all \
         else is well. The environment is the same, with TUCKBOX_PINNED: the number of the version that was pinned.",
        "none", "\"sh -c 'echo look at $TUCKBOX_VERSION_ID | mail -s backup ana'\"";
    HOOK_TIMEOUT = Top "hook_timeout" Kind::Duration,
        "How long each of these commands, and each of a source, may run before it is ended and counts as failed.",
        "1h", "\"10min\"";
    EXCLUDE = Top "exclude" Kind::Texts,
        "Rules of what every source leaves out. A glob without / matches any name, one that begins with / is anchored, ** \
         matches any directories, one that ends in / only directories. re:REGEX is searched in the absolute path; \
         exact:PATH means each character as it is. Before any of them: file: (no directories), dir: (only directories), ! \
         (takes back what rules before it left out). With \"${name}\" a list of [vars] is used by several sources.",
        "none", "[\"*.tmp\", \"dir:.cache\", \"re:/node_modules$\", \"exact:/home/ana/[old]\"]";
    IEXCLUDE = Top "iexclude" Kind::Texts,
        "The same, with upper and lower case alike.",
        "none", "\"*.bak\"";
    EXCLUDE_FILE = Top "exclude_file" Kind::Paths,
        "Files of such rules for every source, one a line, # begins a comment.",
        "none", "\"~/.config/tuckbox/exclude-all\"";
    EXCLUDE_CACHES = Top "exclude_caches" Kind::Switch,
        "Leave out the content of directories marked by a CACHEDIR.TAG, unless a source says otherwise.",
        "false", "true";
    EXCLUDE_IF_PRESENT = Top "exclude_if_present" Kind::Texts,
        "Leave out the content of directories that hold a file of this name (NAME, or NAME:BEGINNING of its content).",
        "none", "\".nobackup\"";
    EXCLUDE_LARGER_THAN = Top "exclude_larger_than" Kind::Size,
        "Leave out larger files, unless a source has its own size. In bytes, or with k, M, G, T (units of 1,024).",
        "none", "\"20G\"";
    COLOR = Top "color" Kind::OneOf(&["auto", "always", "never"]),
        "Colours on a terminal.",
        "auto", "\"never\"",
        flag "color";
    UTC = Top "utc" Kind::Switch,
        "Show and read times in UTC and not in the local zone.",
        "false", "true",
        flag "utc";
    SOURCE_PATH = Source "path" Kind::Path,
        "What to back up: absolute, or below the home directory. Every [[source]] needs one. A trailing / follows a \
         symbolic link.",
        "none", "\"~/docs\"";
    SOURCE_HOST = Source "host" Kind::Text,
        "The host label of this source, when it is not that of the file's top.",
        "as at the top", "\"laptop\"";
    SOURCE_EXCLUDE = Source "exclude" Kind::Texts,
        "Rules of what to leave out, asked after those of the top; of those that match, the last decides.",
        "none", "[\"*.o\", \"!keep.o\", \"/home/ana/docs/scratch\"]";
    SOURCE_IEXCLUDE = Source "iexclude" Kind::Texts,
        "The same, with upper and lower case alike.",
        "none", "\"*.jpg\"";
    SOURCE_EXCLUDE_FILE = Source "exclude_file" Kind::Paths,
        "Files of such rules, one a line, # begins a comment.",
        "none", "\"~/.config/tuckbox/exclude\"";
    SOURCE_EXCLUDE_CACHES = Source "exclude_caches" Kind::Switch,
        "Leave out the content of directories marked by a CACHEDIR.TAG.",
        "false", "true";
    SOURCE_EXCLUDE_IF_PRESENT = Source "exclude_if_present" Kind::Texts,
        "Leave out the content of directories that hold a file of this name (NAME, or NAME:BEGINNING of its content).",
        "none", "\".nobackup\"";
    SOURCE_EXCLUDE_LARGER_THAN = Source "exclude_larger_than" Kind::Size,
        "Leave out larger files. In bytes, or with k, M, G, T (units of 1,024).",
        "none", "\"4G\"";
    SOURCE_MIN_AGE = Source "min_age" Kind::Duration,
        "Leave out files that were modified less than this ago, which may still be written to. What was stored of them before \
         stays.",
        "none", "\"10min\"";
    SOURCE_MAX_AGE = Source "max_age" Kind::Duration,
        "Leave out files that were modified longer ago than this. What becomes older goes, whatever the guard says.",
        "none", "\"90d\"";
    SOURCE_NEWER_THAN = Source "newer_than" Kind::Text,
        "Leave out files that were not modified after this time, as those that are kept elsewhere. A day stands for its end.",
        "none", "\"2007-10-19\"";
    SOURCE_FILTER = Source "filter" Kind::Text,
        "A command that decides of every file and directory that the rules take. It runs once, directly and not by a shell, \
         reads absolute paths that end in a zero byte (directories in / before it), and answers each with a line: + takes \
         it, - leaves it out. When it fails, everything is taken and the run ends with exit 3.",
        "none", "\"python3 /home/ana/bin/choose.py\"";
    SOURCE_FIRST = Source "first" Kind::Texts,
        "Rules of what is sent before the rest, in this order, each followed by a checkpoint: a long first backup that is cut \
         off has it. Each of them (8 at most) costs one more look at every name.",
        "none", "[\"*.kdbx\", \"Documents/\"]";
    SOURCE_LAST = Source "last" Kind::Texts,
        "Rules of what is sent after the rest.",
        "none", "\"*.iso\"";
    SOURCE_ONE_FILE_SYSTEM = Source "one_file_system" Kind::Switch,
        "Stay on the file system of the source.",
        "false", "true";
    SOURCE_PROTECT_MISSING = Source "protect_missing" Kind::Duration,
        "As at the top, for this source: longer for a drive that is seldom there.",
        "as at the top", "\"90d\"";
    SOURCE_BEFORE = Source "before" Kind::Text,
        "A command as at the top that is run before this source is read, also to mount it. When it fails, this source is left \
         as it is and the others are backed up (exit 3). In its environment also TUCKBOX_SOURCE, the path.",
        "none", "\"mount /media/disk\"";
    SOURCE_AFTER = Source "after" Kind::Text,
        "A command that is run after the backup, whatever became of it.",
        "none", "\"umount /media/disk\"";
    SOURCE_ON_FAILURE = Source "on_failure" Kind::Text,
        "A command that is run before that when this source was left as it is, or the exit status is another than 0.",
        "none", "\"logger backup of the disk failed\"";
    SOURCE_TAG = Source "tag" Kind::Texts,
        "Tags for the versions that hold this source.",
        "none", "[\"daily\", \"laptop\"]";
}

/// The key of this name in a section.
#[must_use]
pub fn named(section: Section, name: &str) -> Option<&'static Key> {
    ALL.iter().copied().find(|key| key.section == section && key.name == name)
}

/// Names of a section.
pub fn names(section: Section) -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(move |key| key.section == section).map(|key| key.name)
}
