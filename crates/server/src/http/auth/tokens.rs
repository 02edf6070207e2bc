//! Tokens: JWT (RFC 7519), signed with HMAC-SHA-256 and nothing else: no other algorithm is even built in.

use std::sync::Once;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use model::role::Role;
use model::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::accounts::User;

use super::super::limits::TOKEN_LIFE;
use super::super::problem::Problem;
use super::super::state::random;

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: f64 = 1e9;
/// Before what a ticket says when it is signed.
const TICKET: &[u8] = b"waybill stream ticket\0";
/// Characters of a name in a token.
const NAME_CHARS: usize = 200;

/// Signs and checks tokens.
pub(crate) struct Tokens {
    signs: EncodingKey,
    verify: Vec<DecodingKey>,
    validation: Validation,
    /// Of each secret, the first as above. A ticket begins as no token does.
    tickets: Vec<Hmac<Sha256>>,
}

/// A token's claims, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claims {
    pub(crate) subject: Box<str>,
    pub(crate) role: Role,
    pub(crate) client: Option<Box<str>>,
    /// By which it is revoked: its `jti`, or its hash.
    pub(crate) id: Box<str>,
    pub(crate) expires_at: Timestamp,
    pub(super) issued_at: Timestamp,
}

/// Whether what was issued at this time was so at that time or later.
pub(super) const fn issued_since(issued_at: Timestamp, valid_from: Timestamp) -> bool {
    // Issue times are known to the millisecond: one within that of the limit counts as later.
    issued_at.as_nanos().saturating_add(NANOS_PER_MILLI) > valid_from.as_nanos()
}

/// The claims on the wire.
#[derive(Serialize, Deserialize)]
struct WireClaims {
    sub: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default)]
    iat: Option<serde_json::Number>,
    exp: serde_json::Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<serde_json::Number>,
    #[serde(default)]
    jti: Option<String>,
}

impl Tokens {
    /// With the secrets, each at least 32 bytes: the first signs, all verify.
    pub(crate) fn new(secrets: &[String]) -> Option<Self> {
        install_provider();
        let first = secrets.first()?;
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked here, by the server's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Some(Self {
            signs: EncodingKey::from_secret(first.as_bytes()),
            verify: secrets
                .iter()
                .map(|secret| DecodingKey::from_secret(secret.as_bytes()))
                .collect(),
            validation,
            tickets: secrets
                .iter()
                .map(|secret| Hs256::new(secret.as_bytes()).map(|keyed| keyed.0.chain_update(TICKET)))
                .collect::<Result<_, _>>()
                .ok()?,
        })
    }

    /// The signature of what a ticket says.
    pub(crate) fn sign_ticket(&self, said: &[u8]) -> Vec<u8> {
        let first = self.tickets.first().map(|keyed| keyed.clone().chain_update(said));
        first.map_or_else(Vec::new, |signed| signed.finalize().into_bytes().to_vec())
    }

    /// Whether one of the secrets has signed it. In constant time.
    pub(crate) fn is_ticket(&self, said: &[u8], signature: &[u8]) -> bool {
        let mut keyed = self.tickets.iter();
        keyed.any(|keyed| keyed.clone().chain_update(said).verify_slice(signature).is_ok())
    }

    /// A new token of a user. `now` is no later than when the user was read: a change in the meantime voids it.
    pub(crate) fn sign(&self, user: &User, now: Timestamp) -> Result<String, Problem> {
        // Sessions may be valid from the next millisecond on: whoever has seen that change gets one that is.
        let now = now.max(user.sessions_valid_from);
        let seconds = now.as_nanos().div_euclid(1_000_000_000);
        let life = i64::try_from(TOKEN_LIFE.as_secs()).unwrap_or(i64::MAX);
        let claims = WireClaims {
            sub: user.username.to_string(),
            role: user.role.name().to_owned(),
            client_id: user.client.as_deref().map(str::to_owned),
            iat: Some(seconds.into()),
            exp: seconds.saturating_add(life).into(),
            nbf: None,
            jti: Some(issued_now(now)?),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signs);
        token.map_err(|_| Problem::internal())
    }

    /// The claims of a token that counts now.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Problem> {
        let bad = || Problem::unauthenticated("the token is not valid");
        let read = |key| jsonwebtoken::decode::<WireClaims>(token, key, &self.validation);
        let claims = self
            .verify
            .iter()
            .find_map(|key| read(key).ok())
            .ok_or_else(bad)?
            .claims;
        let expires_at = numeric_date(&claims.exp).ok_or_else(bad)?;
        if expires_at <= now {
            return Err(Problem::unauthenticated("the token has expired: sign in again"));
        }
        if claims
            .nbf
            .as_ref()
            .is_some_and(|at| numeric_date(at).is_none_or(|at| now < at))
        {
            return Err(Problem::unauthenticated("the token is not valid yet"));
        }
        let role = Role::from_name(&claims.role).filter(|role| *role != Role::System);
        let role = role.ok_or_else(|| Problem::unauthenticated("the token's role is not known"))?;
        let fits = |text: &str| !text.is_empty() && text.chars().count() <= NAME_CHARS;
        if !fits(&claims.sub) || claims.client_id.as_deref().is_some_and(|client| !fits(client)) {
            return Err(bad());
        }
        if matches!(role, Role::Client | Role::Driver) && claims.client_id.is_none() {
            return Err(Problem::unauthenticated(
                "a token of this role must have a client_id",
            ));
        }
        Ok(Claims {
            issued_at: issued_at(&claims),
            id: token_id(claims.jti.as_deref(), token),
            subject: claims.sub.into(),
            role,
            client: claims.client_id.map(Into::into),
            expires_at,
        })
    }
}

/// The id of a token issued now: the time in milliseconds and 80 random bits, in hexadecimal. `iat` counts in whole
/// seconds; by this, of two tokens of one second, the one from after a change of password is told from the one before.
pub(crate) fn issued_now(now: Timestamp) -> Result<String, Problem> {
    let millis = now.as_nanos().div_euclid(NANOS_PER_MILLI);
    let bits: u128 = random()?;
    Ok(format!("{millis:012x}{:020x}", bits >> 48))
}

fn issued_at(claims: &WireClaims) -> Timestamp {
    let told = claims.iat.as_ref().and_then(numeric_date).unwrap_or_default();
    let id = claims
        .jti
        .as_deref()
        .filter(|id| id.len() == 32)
        .and_then(|id| id.get(..12));
    let exact = id.and_then(|millis| i64::from_str_radix(millis, 16).ok());
    let exact = exact
        .and_then(|millis| millis.checked_mul(NANOS_PER_MILLI))
        .map(Timestamp::from_nanos);
    let in_that_second =
        |exact: &Timestamp| (0..1_000_000_000).contains(&exact.as_nanos().saturating_sub(told.as_nanos()));
    exact.filter(in_that_second).unwrap_or(told)
}

fn token_id(id: Option<&str>, token: &str) -> Box<str> {
    match id {
        Some(id) if (1..=NAME_CHARS).contains(&id.len()) => id.into(),
        Some(_) | None => {
            let hash: [u8; 32] = Sha256::digest(token).into();
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            hex.into()
        }
    }
}

/// Seconds since the epoch, with or without a fraction (RFC 7519, `NumericDate`).
fn numeric_date(number: &serde_json::Number) -> Option<Timestamp> {
    if let Some(seconds) = number.as_i64() {
        let beyond = if seconds < 0 { i64::MIN } else { i64::MAX };
        return Some(Timestamp::from_seconds(seconds).unwrap_or(Timestamp::from_nanos(beyond)));
    }
    let nanos = number.as_f64()? * NANOS_PER_SECOND;
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    let nanos = nanos as i64;
    Some(Timestamp::from_nanos(nanos))
}

/// HMAC-SHA-256 with a secret.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(secret: &[u8]) -> Result<Self, JwtError> {
        let hmac = Hmac::new_from_slice(secret).map_err(|_| JwtError::from(ErrorKind::InvalidKeyFormat))?;
        Ok(Self(hmac))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self
            .0
            .clone()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// In constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let hmac = self.0.clone().chain_update(message);
        hmac.verify_slice(signature).map_err(|_| SignatureError::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.as_bytes())?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => Ok(Box::new(Hs256::new(key.try_get_as_bytes()?)?)),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Only an earlier one of the same process could be in the way, and there is none.
        PROVIDER.install_default().ok();
    });
}
