//! A private PostgreSQL cluster on a loopback port, one for the whole test program, with a database for each case.

use postgres::{Client, NoTls};
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this is who runs it then.
const SERVER_USER: &str = "postgres";

/// What ends the cluster: a static is never dropped, and a test program may be killed. So a process of its own waits
/// until its standard input ends, which it does when the test program does, and then stops the server that holds the
/// data directory, by that directory, and removes the folder.
const CARETAKER: &str = r#"cat > /dev/null; "$@" -m immediate -w stop; rm -rf "$0""#;

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

struct Cluster {
    port: u16,
    /// Holds the other end of the caretaker's input open.
    _caretaker: Child,
}

/// Makes an empty database and gives its URL.
pub(crate) fn new_database() -> String {
    let cluster = CLUSTER.get_or_init(Cluster::start);
    let name = format!("case_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    // Cases may run at once, and two copies of the template at a time are one too many.
    admin(cluster.port).batch_execute(&format!("CREATE DATABASE {name} STRATEGY wal_log")).unwrap();
    format!("postgresql://{SERVER_USER}@127.0.0.1:{}/{name}", cluster.port)
}

fn admin(port: u16) -> Client {
    Client::connect(&format!("postgresql://{SERVER_USER}@127.0.0.1:{port}/postgres"), NoTls).unwrap()
}

impl Cluster {
    fn start() -> Self {
        let programs = programs().unwrap_or_else(|| {
            panic!(
                "PostgreSQL is not installed: there is no {DEBIAN}/*/bin/initdb. These tests need the server: \
                 `apt-get install postgresql` on Debian, or `cargo xtask test`, which installs it there"
            )
        });
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            output(Command::new("chown").arg(SERVER_USER).arg(folder.path()));
        }
        let data = folder.path().join("data");
        output(
            as_server(&programs, "initdb", folder.path())
                .args(["-U", SERVER_USER, "-A", "trust", "-E", "UTF8", "--no-sync", "-D"])
                .arg(&data),
        );
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        // No power is cut here, so that nothing needs to wait for the disk.
        let options = format!("-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off");
        let caretaker = caretaker(&programs, folder, &data);
        output(
            as_server(&programs, "pg_ctl", data.parent().unwrap())
                .args(["-w", "-o", &options, "-D"])
                .arg(&data)
                .arg("-l")
                .arg(data.with_file_name("log"))
                .arg("start"),
        );
        Self { port, _caretaker: caretaker }
    }
}

/// Starts what will stop the cluster, before there is one to stop.
fn caretaker(programs: &Path, folder: TempDir, data: &Path) -> Child {
    let stop = as_server(programs, "pg_ctl", folder.path());
    Command::new("sh")
        .args(["-c", CARETAKER])
        .arg(folder.keep())
        .arg(stop.get_program())
        .args(stop.get_args())
        .arg("-D")
        .arg(data)
        // Neither an interrupt from the keyboard nor a pipe behind the tests is meant for it.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The folder of the newest programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten();
    let folders = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| ["initdb", "pg_ctl"].iter().all(|program| folder.join(program).is_file()));
    folders.max().map(|(_, folder)| folder)
}

/// A program of the server's side, run as who may run it.
fn as_server(programs: &Path, program: &str, folder: &Path) -> Command {
    let program = programs.join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", SERVER_USER, "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder);
    command
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).trim() == "0"
}

/// Runs a program that must succeed, and gives what it printed. To a file, since a server that it leaves behind would
/// keep a pipe open.
fn output(command: &mut Command) -> String {
    let (out, err) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
    let status = command.stdin(Stdio::null()).stdout(out.reopen().unwrap()).stderr(err.reopen().unwrap()).status();
    let [out, err] = [out, err].map(|file| fs::read_to_string(file.path()).unwrap());
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}\n{out}{err}");
    out
}
