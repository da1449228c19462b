//! The algorithms that the embedded client has, and which of them a host is offered.
//!
//! The configuration decides what is allowed, this module in which order: AES-GCM where the processor has AES, which
//! costs half of what ChaCha20 does; post-quantum key exchange first.

use super::config::Host;

/// Key exchanges, best first.
pub const KEX: [&str; 10] = [
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group18-sha512",
    "diffie-hellman-group14-sha256",
];

/// Ciphers that authenticate by themselves; these come first.
const GCM: [&str; 2] = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com"];
const CHACHA: [&str; 1] = ["chacha20-poly1305@openssh.com"];
const CTR: [&str; 3] = ["aes128-ctr", "aes256-ctr", "aes192-ctr"];

/// Message authentication, for the ciphers that need it.
pub const MACS: [&str; 4] =
    ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"];

/// Host keys; the same names are those of user keys.
pub const KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// What is offered to a host, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Key exchanges.
    pub kex: Vec<&'static str>,
    /// Ciphers.
    pub ciphers: Vec<&'static str>,
    /// Message authentication.
    pub macs: Vec<&'static str>,
    /// Types of host keys.
    pub keys: Vec<&'static str>,
}

impl Offer {
    /// For this host: what the configuration allows, of what there is. `Err` names a keyword that allows none of it.
    ///
    /// # Errors
    /// The name of the list of which nothing is left.
    pub fn for_host(host: &Host) -> Result<Self, &'static str> {
        let allowed = |key: &str, ours: &[&'static str]| -> Vec<&'static str> {
            match host.printed.list(key) {
                None => ours.to_vec(),
                Some(list) => ours.iter().copied().filter(|name| list.iter().any(|n| n == name)).collect(),
            }
        };
        let mut kex = allowed("kexalgorithms", &KEX);
        // Whoever allows the older post-quantum hybrid, which we do not have, means the newer one, too.
        let hybrid = host.printed.list("kexalgorithms").is_some_and(|l| l.iter().any(|n| n.starts_with("sntrup761x")));
        if hybrid && kex.first() != KEX.first() {
            kex.insert(0, KEX[0]);
        }
        let mut ciphers = allowed("ciphers", &cipher_order());
        let macs = allowed("macs", &MACS);
        if macs.is_empty() {
            ciphers.retain(|name| !CTR.contains(name));
        }
        let keys = allowed("hostkeyalgorithms", &KEYS);
        for (list, name) in [(&kex, "KexAlgorithms"), (&ciphers, "Ciphers and MACs"), (&keys, "HostKeyAlgorithms")] {
            if list.is_empty() {
                return Err(name);
            }
        }
        let macs = if macs.is_empty() { MACS.to_vec() } else { macs };
        Ok(Self { kex, ciphers, macs, keys })
    }

    /// Puts the types that are known for the host in front, so that it shows a key that can be checked.
    pub fn prefer_known(&mut self, types: &[String]) {
        let known = |name: &str| types.iter().any(|t| t == name || (t == "ssh-rsa" && name.starts_with("rsa-sha2-")));
        self.keys.sort_by_key(|name| !known(name));
    }
}

/// All ciphers in the order for this machine.
#[must_use]
pub fn cipher_order() -> Vec<&'static str> {
    let (first, second): (&[_], &[_]) = if has_aes() { (&GCM, &CHACHA) } else { (&CHACHA, &GCM) };
    [first, second, &CTR].concat()
}

fn has_aes() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        address::{RemotePath, SshAddress},
        carrier::{config::Printed, surroundings::Surroundings},
    };

    fn offer(printed: &str) -> Result<Offer, &'static str> {
        let address = SshAddress { user: None, host: "h".into(), port: None, path: RemotePath::Forced };
        Offer::for_host(&Host::from_printed(&address, Printed::parse(printed), &Surroundings::default()))
    }

    #[test]
    fn the_configuration_allows_and_we_order() {
        let all = offer("").unwrap();
        assert_eq!((all.kex.as_slice(), all.keys.as_slice()), (KEX.as_slice(), KEYS.as_slice()));
        let some = offer(
            "ciphers aes256-ctr,aes256-gcm@openssh.com\nkexalgorithms sntrup761x25519-sha512,curve25519-sha256\n",
        );
        let some = some.unwrap();
        assert_eq!(some.ciphers, ["aes256-gcm@openssh.com", "aes256-ctr"]);
        assert_eq!(some.kex, ["mlkem768x25519-sha256", "curve25519-sha256"]);
        assert_eq!(offer("macs umac-64@openssh.com\nciphers aes128-ctr\n"), Err("Ciphers and MACs"));
        assert_eq!(offer("hostkeyalgorithms ssh-dss\n"), Err("HostKeyAlgorithms"));
    }

    #[test]
    fn known_types_come_first() {
        let mut all = offer("").unwrap();
        all.prefer_known(&["ssh-rsa".into(), "ecdsa-sha2-nistp384".into()]);
        assert_eq!(all.keys[..4], ["ecdsa-sha2-nistp384", "rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
    }
}
