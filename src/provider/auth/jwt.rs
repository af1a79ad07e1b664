//! JSON Web Tokens that we sign: two parts and a signature, with RSA and SHA-256 (RFC 7515, RS256).

use crate::{lexicon::secret::Secret, provider::auth::AuthFault};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

/// Why a text is no key to sign with.
const NO_KEY: AuthFault = AuthFault::BadKey("no RSA private key in PEM");

/// Is there a key in this PEM that `sign` takes?
pub fn check(pem: &Secret) -> Result<(), AuthFault> {
    read(pem).map(drop)
}

/// A token of these claims, signed. `header` is what its first part says besides `alg` and `typ`.
///
/// **Cost**: 0.5 ms and more; the signature of PKCS #1 v1.5 is the same each time.
pub fn sign(
    pem: &Secret,
    header: Option<(&str, &str)>,
    claims: &Value,
) -> Result<Secret, AuthFault> {
    let key = read(pem)?;
    let mut first = json!({"alg": "RS256", "typ": "JWT"});
    if let Some((name, value)) = header {
        first[name] = value.into();
    }
    let mut token = URL_SAFE_NO_PAD.encode(first.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| AuthFault::BadKey("it does not sign"))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::new(token))
}

/// Certificates beside the key are passed over.
fn read(pem: &Secret) -> Result<RsaKeyPair, AuthFault> {
    match PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(der)) => {
            RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| NO_KEY)
        }
        Ok(PrivateKeyDer::Pkcs1(der)) => {
            RsaKeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| NO_KEY)
        }
        _ => Err(NO_KEY),
    }
}
