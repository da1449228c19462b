//! Certificates of hosts: a key that one of the authorities in `known_hosts` vouches for.

use russh::keys::{
    Algorithm, Certificate, HashAlg, PublicKey,
    ssh_key::{Fingerprint, certificate::CertType},
};

use crate::{
    carrier::{config::Host, host_key::HostKeys, known_hosts::glob},
    error::{HostKeyProblem, Result},
};

/// `true`: an authority of ours vouches for the host. `false`: no authority of ours has to do with it.
///
/// # Errors
/// [`crate::Error::HostKey`] when ours has signed it and it is not good, or something of it is revoked.
pub(super) fn check(certificate: &Certificate, keys: &HostKeys, host: &Host, now_s: i64) -> Result<bool> {
    let bytes = |key: &russh::keys::ssh_key::public::KeyData| PublicKey::from(key.clone()).to_bytes().ok();
    let (Some(key), Some(authority)) = (bytes(certificate.public_key()), bytes(certificate.signature_key())) else {
        return Ok(false);
    };
    keys.check_not_revoked(&key)?;
    keys.check_not_revoked(&authority)?;
    if !keys.authorities().contains(&authority) {
        return Ok(false);
    }
    let refuse = |why: &str| {
        let why = format!("the certificate of {} is not good: {why}", host.name);
        Err(keys.refuse(&key, HostKeyProblem::Unusable { why }))
    };
    if certificate.cert_type() != CertType::Host {
        return refuse("it is one of a user");
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        return refuse("it is signed with SHA-1");
    }
    let trusted: Fingerprint = certificate.signature_key().fingerprint(HashAlg::Sha256);
    if certificate.validate_at(u64::try_from(now_s).unwrap_or(0), [&trusted]).is_err() {
        return refuse("its time is over, or has not come, or its signature is wrong");
    }
    if certificate.critical_options().iter().next().is_some() {
        return refuse("it has options that are not known");
    }
    let name = host.host_key_alias.as_deref().unwrap_or(&host.name).to_ascii_lowercase();
    if !certificate.valid_principals().iter().any(|pattern| glob(&pattern.to_ascii_lowercase(), &name)) {
        return refuse("it is for another host");
    }
    Ok(true)
}
