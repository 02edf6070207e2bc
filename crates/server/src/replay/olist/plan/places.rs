//! Where a city and zip prefix lie, and how well that is known.

use std::collections::HashMap;

use crate::replay::olist::dataset::GeoRow;

/// One end of a shipment's way.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// `city, ST, zip`.
    pub address: String,
    /// Latitude, degrees.
    pub lat: f64,
    /// Longitude, degrees.
    pub lng: f64,
    /// What the two are taken from.
    pub basis: Basis,
}

impl Place {
    /// Latitude and longitude.
    pub(super) fn coordinates(&self) -> (f64, f64) {
        (self.lat, self.lng)
    }
}

/// What coordinates are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// The geo row of the zip prefix.
    Zip,
    /// The mean of the geo rows of the same city and state.
    City,
    /// The mean of the geo rows of the same state.
    State,
}

/// The geo rows, to look places up in.
pub(super) struct Places<'a> {
    zips: HashMap<&'a str, (f64, f64)>,
    cities: HashMap<(&'a str, &'a str), Mean>,
    states: HashMap<&'a str, Mean>,
}

impl<'a> Places<'a> {
    pub(super) fn of(rows: &'a [GeoRow]) -> Self {
        let mut places = Self {
            zips: HashMap::new(),
            cities: HashMap::new(),
            states: HashMap::new(),
        };
        for row in rows {
            places.zips.insert(&row.zip, (row.lat, row.lng));
            places.cities.entry((&row.city, &row.state)).or_default().add(row);
            places.states.entry(&row.state).or_default().add(row);
        }
        places
    }

    /// The place with the best coordinates there are; `None` when not even the state has any.
    pub(super) fn find(&self, zip: &str, city: &str, state: &str) -> Option<Place> {
        let of_zip = || self.zips.get(zip).map(|coordinates| (*coordinates, Basis::Zip));
        let of_city = || {
            self.cities
                .get(&(city, state))
                .map(|mean| (mean.get(), Basis::City))
        };
        let of_state = || self.states.get(state).map(|mean| (mean.get(), Basis::State));
        let ((lat, lng), basis) = of_zip().or_else(of_city).or_else(of_state)?;
        Some(Place {
            address: format!("{city}, {state}, {zip}"),
            lat,
            lng,
            basis,
        })
    }
}

/// A mean under way; the rows are added in the order of the file, so it is the same each time to the last bit.
#[derive(Default)]
struct Mean {
    lat: f64,
    lng: f64,
    rows: f64,
}

impl Mean {
    fn add(&mut self, row: &GeoRow) {
        self.lat += row.lat;
        self.lng += row.lng;
        self.rows += 1.0;
    }

    fn get(&self) -> (f64, f64) {
        (self.lat / self.rows, self.lng / self.rows)
    }
}
