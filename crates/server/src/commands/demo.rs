//! `waybill demo`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use clap::Args;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::watch;

use super::output::{complain, point_out};
use super::serve::serve;
use super::{Ended, Problem, above_zero};
use crate::accounts;
use crate::engine::Handle;
use crate::logging;
use crate::place::StorePlace;
use crate::server::Server;
use crate::settings::{SettingFlags, Settings};
use crate::traffic::{Counters, Traffic, TrafficOptions};

/// Senders of made-up traffic: the drivers of the two seeded clients.
const SENDERS: usize = 2;
/// Shipments that each of them keeps under way: with [`REST_MS`], enough for the default rate.
const UNDER_WAY: usize = 50;
/// How long a shipment rests between two steps: long enough to be believed, short enough to be watched.
const REST_MS: RangeInclusive<u32> = 3_000..=20_000;

/// Runs a server to look at: seeded users, shipments moving
///
/// On 127.0.0.1, in a throw-away data folder unless one is named. Nothing has to be installed. Everybody knows the passwords of its
/// users: it is for looking, not for use.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waybill demo --port 8080 --data-dir waybill-demo")]
pub(super) struct Demo {
    /// Only the seeded users, no made-up shipments.
    #[arg(long)]
    no_simulate: bool,
    /// Made-up commands a second, at most: each shipment rests for 3 to 20 seconds between its steps.
    #[arg(long, default_value = "10", value_name = "N", value_parser = above_zero, allow_negative_numbers = true)]
    rate: f64,
    #[command(flatten)]
    settings: SettingFlags,
}

impl Demo {
    pub(super) async fn run(&self) -> Result<Ended, Problem> {
        let (mut settings, sources) = Settings::of_process(&self.settings)?;
        logging::init(settings.log_level, settings.log_format);
        settings.app_host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        settings.open_orders |= !sources.is_set("OPEN_ORDERS");
        let kept = sources.is_set("WAYBILL_DATA_DIR");
        // Removed when the server has ended.
        let throw_away = if kept { None } else { Some(tempfile::tempdir()?) };
        let place = StorePlace::Folder(match &throw_away {
            Some(folder) => folder.path().join("data"),
            None => settings.data_dir.clone(),
        });
        if settings.pg_dsn.is_some() {
            // Nobody should find users with known passwords in a database that a variable happened to name.
            tracing::warn!("PG_DSN is set, and a demo does not use it");
        }
        let server = Server::start(settings, &place).await?;
        accounts::seed_demo(server.engine()).await?;
        tell(&server);
        let traffic = self.traffic(server.engine().clone())?;
        let (stop, stopped) = watch::channel(false);
        let serving = async {
            let ended = serve(server).await;
            stop.send_replace(true);
            ended
        };
        let (ended, ()) = tokio::join!(serving, simulate(traffic, stopped));
        ended
    }

    fn traffic(&self, handle: Handle) -> Result<Option<Traffic>, Problem> {
        if self.no_simulate {
            return Ok(None);
        }
        Ok(Some(Traffic {
            handle,
            options: TrafficOptions {
                submitters: SENDERS,
                batch: 1,
                under_way: UNDER_WAY,
                rate: Some(self.rate),
                rest_ms: Some(REST_MS),
                seed: SysRng.try_next_u64()?,
            },
            counters: Arc::new(Counters::default()),
            listener: None,
        }))
    }
}

/// Makes traffic, if there is to be any, until the server has stopped: that it fails then is no wonder.
async fn simulate(traffic: Option<Traffic>, mut stopped: watch::Receiver<bool>) {
    let Some(traffic) = traffic else { return };
    let mut told = stopped.clone();
    let end = async move { drop(told.wait_for(|stopped| *stopped).await) };
    if let Err(failure) = traffic.run(end).await
        && !*stopped.borrow_and_update()
    {
        complain(&format!("no made-up shipments: {failure}"));
    }
}

fn tell(server: &Server) {
    let address = server.address();
    point_out(&format!(
        "Users: admin_user, operator_user, client_user_001 and 002, driver_user_001 and 002, customer_user_001 and 002;\n\
         all with the password password123. Documentation: http://{address}/docs. Ctrl-C ends it.\n\
         \n  TOKEN=$(curl -s http://{address}/auth/login -H 'Content-Type: application/json' \\\n    \
         -d '{{\"username\":\"operator_user\",\"password\":\"password123\"}}' | sed 's/.*\"token\":\"\\([^\"]*\\).*/\\1/')\n  \
         curl -s http://{address}/shipments -H \"Authorization: Bearer $TOKEN\"\n"
    ));
}
