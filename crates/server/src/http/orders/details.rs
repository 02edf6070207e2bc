//! What was told of an order at its creation, as it is kept: JSON, sealed by the store.
//!
//! Orders made here are kept in one form. Shipments and food orders are kept as their own paths took them; their details are read
//! here too, so that every order can be shown in the one shape.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// What was told of an order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Details {
    /// Who ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<Customer>,
    /// What was ordered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Item>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<Box<str>>,
    /// Free-form JSON, the text as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Box<RawValue>>,
}

/// Who ordered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Customer {
    /// The name.
    #[schema(value_type = String)]
    pub(crate) name: Box<str>,
    /// An e-mail address, a telephone number: whatever reaches them.
    #[schema(value_type = Option<String>)]
    pub(crate) contact: Option<Box<str>>,
}

/// Something that was ordered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Item {
    /// What.
    #[schema(value_type = String)]
    pub(crate) name: Box<str>,
    /// How many.
    pub(crate) quantity: u32,
    /// Of a meal: `small`, `medium` or `large`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) size: Option<Box<str>>,
}

/// What was told of a food order, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FoodDetails {
    /// Who ordered.
    pub(crate) customer_name: Box<str>,
    /// Where it goes.
    pub(crate) address: Box<str>,
    /// The dish.
    pub(crate) item: Box<str>,
    /// `small`, `medium` or `large`.
    pub(crate) size: Box<str>,
}

impl FoodDetails {
    /// As they are kept.
    pub(crate) fn to_json(&self) -> Box<[u8]> {
        // Four texts: there is nothing that cannot be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// What is shown of a shipment's details.
#[derive(Deserialize)]
struct ShipmentDetails {
    destination_address: Box<str>,
    content_description: Box<str>,
}

impl Details {
    /// As they are kept.
    pub(crate) fn to_json(&self) -> Box<[u8]> {
        // Texts, numbers and JSON that was parsed before: there is nothing that cannot be written.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// The kept details of an order of this lifecycle.
    pub(crate) fn read(lifecycle: &str, content: &[u8]) -> Result<Self, serde_json::Error> {
        let single = |name, size| Item {
            name,
            quantity: 1,
            size,
        };
        match lifecycle {
            "shipment" => {
                let kept: ShipmentDetails = serde_json::from_slice(content)?;
                Ok(Self {
                    items: vec![single(kept.content_description, None)],
                    address: Some(kept.destination_address),
                    ..Self::default()
                })
            }
            "food" => {
                let kept: FoodDetails = serde_json::from_slice(content)?;
                Ok(Self {
                    customer: Some(Customer {
                        name: kept.customer_name,
                        contact: None,
                    }),
                    items: vec![single(kept.item, Some(kept.size))],
                    address: Some(kept.address),
                    metadata: None,
                })
            }
            _ => serde_json::from_slice(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_with_its_metadata_as_they_came() {
        let metadata = r#"{ "b":1.50, "a":[1,2] }"#;
        let details = Details {
            customer: Some(Customer {
                name: "Ann \"A\"".into(),
                contact: Some("ann@example.com".into()),
            }),
            items: vec![Item {
                name: "tea".into(),
                quantity: 3,
                size: None,
            }],
            address: Some("1 First Street".into()),
            metadata: Some(RawValue::from_string(metadata.to_owned()).unwrap()),
        };
        let again = Details::read("delivery", &details.to_json()).unwrap();
        assert_eq!(again.to_json(), details.to_json());
        assert_eq!(again.metadata.unwrap().get(), metadata);
        let nothing = Details::read("merchant", b"{}").unwrap();
        assert_eq!(&*nothing.to_json(), b"{}");
    }

    #[test]
    fn shipments_and_food_orders_are_shown_in_the_one_shape() {
        let food = br#"{"customer_name":"Ann","address":"1 First Street","item":"pizza","size":"large"}"#;
        let food = Details::read("food", food).unwrap();
        assert_eq!(&*food.customer.unwrap().name, "Ann");
        assert_eq!(food.items[0].size.as_deref(), Some("large"));
        let shipment =
            br#"{"destination_address":"2 Second Street","content_description":"books","weight_kg":1}"#;
        let shipment = Details::read("shipment", shipment).unwrap();
        assert_eq!(shipment.address.as_deref(), Some("2 Second Street"));
        assert!(Details::read("food", b"{}").is_err());
    }
}
