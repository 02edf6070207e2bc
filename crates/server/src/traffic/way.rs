//! Where made-up shipments go.

use model::entry::Location;
use rand::RngExt;
use rand::rngs::StdRng;

const CITIES: [(&str, f64, f64); 8] = [
    ("Hamburg", 53.5511, 9.9937),
    ("Berlin", 52.52, 13.405),
    ("Wien", 48.2082, 16.3738),
    ("Lyon", 45.764, 4.8357),
    ("Porto", 41.1579, -8.6291),
    ("Gdynia", 54.5189, 18.5305),
    ("Malmö", 55.605, 13.0038),
    ("Brno", 49.1951, 16.6068),
];

/// Where a shipment goes: places in [`CITIES`].
#[derive(Clone, Copy, Default)]
pub(super) struct Way {
    from: usize,
    to: usize,
}

impl Way {
    /// From one city to another.
    pub(super) fn anywhere(random: &mut StdRng) -> Self {
        let from = random.random_range(0..CITIES.len());
        let to = (from + random.random_range(1..CITIES.len())) % CITIES.len();
        Self { from, to }
    }

    /// Name, latitude and longitude of where it begins.
    pub(super) fn from(self) -> (&'static str, f64, f64) {
        city(self.from)
    }

    /// The same of where it ends.
    pub(super) fn to(self) -> (&'static str, f64, f64) {
        city(self.to)
    }

    /// Where a scan of this status happens: at home, half way, or at the customer's.
    pub(super) fn place_of(self, status: &str) -> Location {
        let (_, from_lat, from_lng) = city(self.from);
        let (_, to_lat, to_lng) = city(self.to);
        let (lat, lng) = match status {
            "in_transit" => (f64::midpoint(from_lat, to_lat), f64::midpoint(from_lng, to_lng)),
            "delivered" => (to_lat, to_lng),
            _ => (from_lat, from_lng),
        };
        // To the tenth of a metre or so, as devices report it.
        let rounded = |degrees: f64| (degrees * 1e6).round() / 1e6;
        Location {
            lat: rounded(lat),
            lng: rounded(lng),
        }
    }
}

fn city(place: usize) -> (&'static str, f64, f64) {
    CITIES.get(place).copied().unwrap_or(("Hamburg", 53.5511, 9.9937))
}
