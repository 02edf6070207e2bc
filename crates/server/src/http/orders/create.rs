//! `POST /api/v1/orders`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use model::command::{Actor, Create, NewId};
use model::ids::{LifecycleId, Owner, PartyId, TenantId};
use model::lifecycle::Lifecycle;
use model::public_id::PublicId;
use model::role::Role;
use model::time::Timestamp;
use store::PartyKind;
use store::accounts::{User, UserRef};

use super::super::auth::{Asker, Principal};
use super::super::idempotency::{self, JsonAnswer};
use super::super::problem::{Problem, ProblemSchema};
use super::super::raw_metadata::WithMetadata;
use super::super::standing::Standing;
use super::super::state::{AppState, random};
use super::super::{body, limits};
use super::change::refused;
use super::details::{Customer, Details};
use super::order::{Order, OrderBody, Told};
use super::wish::{Kind, Wish, WishSchema};
use crate::engine::{Answer, Command, Outcome, Submission};

/// Make an order
///
/// A `delivery` belongs to the customer who makes it, or to the one whom an operator or admin names, and advances by itself. A
/// `merchant` order is made by a client for itself, or by an operator or admin for any, and is moved by reports. Other fields than those
/// of the lifecycle are refused.
#[utoipa::path(post, path = "/api/v1/orders", tag = "orders", request_body = WishSchema,
    responses(
        (status = 201, description = "Made; `Location` has its path, `ETag` its version", body = OrderBody),
        (status = 403, description = "Not for this role, or for somebody else", body = ProblemSchema),
        (status = 409, description = "A request with the same Idempotency-Key is under way", body = ProblemSchema),
        (status = 422, description = "The Idempotency-Key was used with another body", body = ProblemSchema)))]
pub(super) async fn create_order(
    State(state): State<AppState>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asker.must_be(&[Role::Customer, Role::Client, Role::Operator, Role::Admin])?;
    body::must_be_json(&headers)?;
    let received = body::whole(&state.room, body, limits::BODY_BYTES).await?;
    let now = state.now();
    let parsed = WithMetadata::parse(&received.bytes)?;
    let kind = Kind::read(&parsed.value)?;
    let (lifecycle_id, lifecycle) = lifecycle(&state, &asker, kind)?;
    let wish = Wish::read(kind, &parsed, now)?;
    let path = "POST /api/v1/orders";
    let keyed = state
        .under_way
        .key(&headers, &asker, path, &received.bytes, now)?;
    let whose = match kind {
        Kind::Delivery => customers(&state, &asker, &wish).await?,
        Kind::Merchant => merchants(&state, &asker, &wish).await?,
    };
    let actor = asker.actor(&state.engine).await?;
    let told = Told {
        lifecycle,
        reference: wish.reference,
        merchant: whose.merchant,
        details: Details {
            customer: whose.customer.or(wish.customer),
            items: wish.items,
            address: wish.address,
            metadata: wish.metadata,
        },
    };
    let create = command(&told, lifecycle_id, actor, whose.owner, wish.occurred_at, now)?;
    let mut submission = Submission {
        label: asker.label(),
        commands: vec![Command::Create(Box::new(create))],
        ..Submission::default()
    };
    let told = Arc::new(told);
    if let Some(keyed) = &keyed {
        let told = told.clone();
        keyed.keep(&mut submission, now, move |answers| {
            answer(answers.first(), &told)
        });
    }
    idempotency::respond(state.engine.submit_once(submission).await?, |answers| {
        Ok(answer(answers.first(), &told)?.into_response())
    })
}

/// The definition that the order will live by, if this role makes orders of it.
fn lifecycle(
    state: &AppState,
    asker: &Principal,
    kind: Kind,
) -> Result<(LifecycleId, Arc<Lifecycle>), Problem> {
    let found = state.engine.lifecycle_named(kind.lifecycle());
    let (id, lifecycle) = found.ok_or_else(Problem::internal)?;
    let makers: Vec<Role> = lifecycle.created_by().iter().collect();
    asker.must_be(&makers)?;
    Ok((id, lifecycle))
}

/// Whose order it will be.
struct Whose {
    owner: Owner,
    customer: Option<Customer>,
    merchant: Option<Arc<str>>,
}

/// A delivery is its customer's.
async fn customers(state: &AppState, asker: &Asker, wish: &Wish) -> Result<Whose, Problem> {
    let customer = if asker.role == Role::Customer {
        own_profile(state, asker, wish.customer_id.as_deref()).await?
    } else {
        let named = wish.customer_id.clone().ok_or_else(|| {
            let message = "is required: the id of the customer whose delivery it is";
            Problem::field("customer_id", "required", message)
        })?;
        named_profile(state, named).await?
    };
    let party = state.engine.party(PartyKind::Customer, &customer.username);
    Ok(Whose {
        owner: owner(PartyId::NOBODY, party.await?),
        customer: Some(customer.shown),
        merchant: None,
    })
}

/// A customer, as orders need it.
struct Profile {
    username: Box<str>,
    shown: Customer,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            username: user.username,
            shown: Customer {
                name: user.name,
                contact: Some(user.email),
            },
        }
    }
}

/// The profile of a customer who orders for itself. Of one whose token was issued elsewhere, only the name is known.
async fn own_profile(state: &AppState, asker: &Asker, named: Option<&str>) -> Result<Profile, Problem> {
    let subject = asker.subject().clone();
    let user = state
        .read(move |reader| reader.user(UserRef::Username(&subject)))
        .await?;
    let own_id = user.as_ref().map(|user| &*user.user_id);
    if named.is_some_and(|named| Some(named) != own_id && *named != **asker.subject()) {
        return Err(Problem::forbidden(
            "customer_id names another customer: you make deliveries for yourself only",
        ));
    }
    Ok(user.map_or_else(
        || Profile {
            username: (**asker.subject()).into(),
            shown: Customer {
                name: (**asker.subject()).into(),
                contact: None,
            },
        },
        Profile::from,
    ))
}

/// The profile of a customer by id or, as people remember those, by username.
async fn named_profile(state: &AppState, named: Box<str>) -> Result<Profile, Problem> {
    let user = state
        .read(move |reader| match reader.user(UserRef::Id(&named))? {
            Some(user) => Ok(Some(user)),
            None => reader.user(UserRef::Username(&named)),
        })
        .await?;
    let wrong = |message| Problem::field("customer_id", "value", message);
    match user {
        None => Err(wrong("is neither the user_id nor the username of a user")),
        Some(user) if user.role != Role::Customer => Err(wrong("names a user who is no customer")),
        Some(user) => Ok(user.into()),
    }
}

/// A merchant order is its merchant's.
async fn merchants(state: &AppState, asker: &Asker, wish: &Wish) -> Result<Whose, Problem> {
    let named = wish.merchant.as_deref();
    let merchant: Arc<str> = if asker.is_staff() {
        named.ok_or_else(|| {
            let message = "is required: the client that the order belongs to";
            Problem::field("merchant", "required", message)
        })?
    } else {
        // Nobody of these roles is let in without a client.
        let own = asker.client.as_deref().ok_or_else(Problem::internal)?;
        if named.is_some_and(|named| named != own) {
            return Err(Problem::forbidden(
                "merchant names another client: you make orders for your own only",
            ));
        }
        own
    }
    .into();
    let party = state.engine.party(PartyKind::Client, &merchant).await?;
    Ok(Whose {
        owner: owner(party, PartyId::NOBODY),
        customer: None,
        merchant: Some(merchant),
    })
}

fn owner(client: PartyId, customer: PartyId) -> Owner {
    Owner {
        tenant: TenantId::default(),
        client,
        customer,
    }
}

fn command(
    told: &Told,
    lifecycle: LifecycleId,
    actor: Actor,
    owner: Owner,
    occurred_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<Create, Problem> {
    let customer = told.details.customer.as_ref();
    let create = Create {
        id: NewId::Random(PublicId::order_id(random()?)),
        lifecycle,
        owner,
        actor,
        reference: told.reference.clone(),
        contact: customer.and_then(|customer| customer.contact.clone()),
        details: told.details.to_json(),
        occurred_at,
        source: "api".into(),
        received_at: now,
    };
    create
        .checked()
        .map_err(|error| Problem::fields(vec![error.into()]))
}

fn answer(answer: Option<&Answer>, told: &Told) -> Result<JsonAnswer, Problem> {
    let accepted = match answer {
        Some(Ok(Outcome::Accepted(accepted))) => accepted,
        Some(Ok(Outcome::Refused(refusal, _))) => return Err(refused(refusal)),
        Some(Err(failure)) => return Err((*failure).into()),
        Some(Ok(Outcome::Duplicate(..) | Outcome::Unchanged(..))) | None => return Err(Problem::internal()),
    };
    let order = Order {
        id: accepted.created.clone().ok_or_else(Problem::internal)?,
        key: accepted.order,
        created_at: accepted.recorded_at,
        told: told.clone(),
    };
    let location = format!("/api/v1/orders/{}", order.id);
    let answer = order.answer(StatusCode::CREATED, Standing::from(accepted));
    Ok(answer.with_location(location))
}
