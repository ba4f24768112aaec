//! Decides how a test has somebody whose key is made by OpenSSL: a folder for it, its request, what the operator prints.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::openssl::openssl;
use crate::person::Person;
use crate::program::Ended;
use crate::server::Server;
use crate::terminal::typed;

/// Somebody with a folder in which OpenSSL makes `key` and `csr`, and the operator's `bundle` lies.
#[derive(Debug)]
pub struct Elsewhere {
    /// The same person's client.
    pub person: Person,
    folder: TempDir,
}

impl Elsewhere {
    /// Somebody who has nothing yet.
    pub fn new(name: &str) -> Self {
        Self { person: Person::new(name), folder: tempfile::tempdir().expect("a folder can be made") }
    }

    /// Where the key is made.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the folder, as an argument.
    pub fn path(&self, name: &str) -> String {
        self.folder().join(name).to_str().expect("a plain path").to_owned()
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.folder().join(name), bytes).expect("a file can be written");
    }

    /// Makes the request for the key, with a subject that is nobody's name here.
    pub fn request(&self, options: &[&str]) {
        let options: String = options.iter().flat_map(|option| [" ", option]).collect();
        let _: Ended =
            openssl(self.folder(), &format!("req -new -key {{key}} -out {{csr}} -subj /O=Example{options}")).done();
    }

    /// `server ca sign` for this person's laptop.
    pub fn ask(&self, server: &Server) -> Ended {
        server.run(&["ca", "sign", &self.path("csr"), "--user", &self.person.name, "--device", "laptop"])
    }

    /// Has the operator sign the request, and keeps what was printed.
    pub fn sign(&self, server: &Server) -> Ended {
        let signed = self.ask(server).done();
        assert!(signed.err.is_empty(), "{signed}");
        self.write("bundle", signed.out.join("\n"));
        signed
    }

    /// Cuts the bundle's certificates into files of their own.
    pub fn split_bundle(&self) {
        const END: &str = "-----END CERTIFICATE-----";
        let bundle = fs::read_to_string(self.path("bundle")).expect("there is a bundle");
        let (_, certificates) = bundle.split_once('\n').expect("a link stands above");
        let parts: Vec<&str> = certificates.split_inclusive(END).collect();
        let [leaf, issuing, root] = parts.as_slice() else { panic!("not three certificates: {bundle}") };
        for (name, pem) in [("leaf.pem", leaf), ("issuing.pem", issuing), ("root.pem", root)] {
            self.write(name, format!("{}\n", pem.trim_start()));
        }
    }

    /// `client cert import` of the key and the bundle.
    pub fn import(&self, options: &[&str]) -> Ended {
        self.person.run(&[&["cert", "import", &self.path("key"), &self.path("bundle")], options].concat())
    }

    /// The same with a terminal for standard input, on which this is typed once the passphrase is asked for; and what the
    /// terminal has shown.
    pub fn typed(&self, text: &str) -> (Ended, String) {
        let command = self.person.client(&["cert", "import", &self.path("key"), &self.path("bundle")]);
        typed(command, &[("Passphrase of ", text)])
    }
}
