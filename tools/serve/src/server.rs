//! Everything that a transport asks: who may come in, to which scene, and what the server is doing.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mynah_host::clock::Epoch;
use mynah_host::metrics::Form;
use mynah_host::metrics::http::names_no_other_host;

use crate::admission::{Admission, AdmissionFigures};
use crate::config::Config;
use crate::drain::{Drain, DrainPhase};
use crate::keys::{Credential, Keys, Standing};
use crate::load::Load;
use crate::log::{Log, unix_us};
use crate::metrics::{self, Measured, TransportFigures, Transports};
use crate::place::Place;
use crate::rate::Rate;
use crate::recording::Recordings;
use crate::refused::Refused;
use crate::scenes::SceneList;
use crate::secrets::{HOLDS_S, PREFIX, Secret, Secrets};

/// A server without its sockets.
#[derive(Debug)]
pub struct Server {
    config: Config,
    scenes: SceneList,
    admission: Arc<Admission>,
    rate: Rate,
    keys: Keys,
    secrets: Secrets,
    recordings: Option<Arc<Recordings>>,
    drain: Drain,
    load: Mutex<Load>,
    transports: Transports,
    log: Log,
    epoch: Epoch,
}

impl Server {
    /// Starts the scenes. The log goes nowhere; see [`start_with`](Self::start_with).
    ///
    /// # Errors
    /// What is wrong with a scene or with the configuration, for people.
    pub fn start(config: Config) -> Result<Arc<Self>, String> {
        Self::start_with(config, Log::default())
    }

    /// Starts the scenes.
    ///
    /// # Errors
    /// What is wrong with a scene or with the configuration, for people.
    pub fn start_with(config: Config, log: Log) -> Result<Arc<Self>, String> {
        let keys = config.keys()?;
        config.check_reach(&keys)?;
        let secrets = Secrets::new(&config.secret_key()?);
        let recordings = config.record.as_deref().map(|folder| Recordings::in_folder(folder, log.clone()));
        let recordings = recordings.transpose()?.map(Arc::new);
        let scenes = SceneList::start(&config)?;
        Ok(Arc::new(Self {
            scenes,
            admission: Admission::new(config.max_sessions),
            rate: Rate::new(config.sessions_per_second),
            keys,
            secrets,
            recordings,
            drain: Drain::new(config.drain_grace_s, config.drain_max_s),
            load: Mutex::default(),
            transports: Transports::default(),
            log,
            epoch: Epoch::start(),
            config,
        }))
    }

    /// What it was started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The scenes.
    #[must_use]
    pub fn scenes(&self) -> &SceneList {
        &self.scenes
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Microseconds since the start; never less than before.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.epoch.now_us()
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub fn unix_us(&self) -> u64 {
        unix_us()
    }

    /// Admits a client to the scene that `model` means (empty: the first), and reserves its place.
    ///
    /// # Errors
    /// [`Refused`]: without a key, for an unknown model, while the server is full or ends. Counted.
    pub fn admit(&self, model: &str, credential: &Credential) -> Result<Place, Refused> {
        let (standing, secret) = self.judge(credential)?;
        let asked = secret.as_ref().and_then(|secret| secret.model.as_deref()).unwrap_or(model);
        let scene = self.scenes.find(Some(asked)).map_err(|refused| self.admission.refuse(refused))?;
        let reservation = self.admission.reserve()?;
        Ok(Place { reservation, scene, standing, secret, recordings: self.recordings.clone() })
    }

    /// As [`admit`](Self::admit), for a client at this address: it may open so many sessions a second as the configuration
    /// says, over all transports.
    ///
    /// # Errors
    /// As [`admit`](Self::admit), and 429 for one too many.
    pub fn admit_from(
        &self,
        address: IpAddr,
        model: &str,
        credential: &Credential,
    ) -> Result<Place, Refused> {
        // Closed doors count before keys: whoever ends must not look alive to who guesses.
        let _phase = self.phase();
        let rated = self.rate.take(address, self.now_us());
        rated.map_err(|refused| self.admission.refuse(refused))?;
        self.admit(model, credential)
    }

    /// Judges a credential alone.
    ///
    /// # Errors
    /// [`Refused`] with 401. Counted.
    pub fn judge(&self, credential: &Credential) -> Result<(Standing, Option<Secret>), Refused> {
        let judged = match credential {
            Credential::Key(text) if text.starts_with(PREFIX) => {
                self.secrets.read(text, unix_us() / 1_000_000).map(|secret| (Standing::Key, Some(secret)))
            }
            other => self.keys.judge(other).map(|standing| (standing, None)),
        };
        judged.map_err(|refused| self.admission.refuse(refused))
    }

    /// Makes a client secret that holds for `holds_s` seconds, for who has a key. Returns it and until when it holds,
    /// seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`Refused`] with 400: the time is out of range, or the settings too long.
    pub fn make_secret(
        &self,
        holds_s: u64,
        model: Option<String>,
        session: Option<serde_json::Value>,
    ) -> Result<(String, u64), Refused> {
        if !HOLDS_S.contains(&holds_s) {
            let (least, most) = (HOLDS_S.start(), HOLDS_S.end());
            let what = format!("expires_after.seconds: {holds_s}, expected {least} to {most}");
            return Err(Refused::new(400, "bad_request", what));
        }
        let expires_at = unix_us() / 1_000_000 + holds_s;
        let secret = Secret { expires_at, model, session };
        Ok((self.secrets.make(&secret)?, expires_at))
    }

    /// Judges where a page comes from that opens a connection; `None`: no page does.
    ///
    /// # Errors
    /// [`Refused`] with 403. Counted.
    pub fn judge_origin(&self, origin: Option<&str>, host: Option<&str>) -> Result<(), Refused> {
        let Some(origin) = origin else { return Ok(()) };
        // Without keys a name that leads here may be anybody's (DNS rebinding), and its pages would be let in by it.
        let is_ours = |host: &str| !self.keys.is_empty() || names_no_other_host(host);
        let own = host.is_some_and(|host| {
            origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
                && is_ours(host)
        });
        if own || self.config.allowed_origins.iter().any(|one| one == origin || one == "*") {
            return Ok(());
        }
        let origin: String = origin.chars().take(128).collect();
        let what = format!("pages from {origin} may not connect: name it in `auth.allowed_origins`");
        Err(self.admission.refuse(Refused::new(403, "origin", what)))
    }

    /// Places, and who got none.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// The drain's phase now. From [`DrainPhase::Ending`] on nobody is admitted.
    #[must_use]
    pub fn phase(&self) -> DrainPhase {
        let phase = self.drain.phase(self.now_us());
        if phase >= DrainPhase::Ending {
            self.admission.shut();
        }
        phase
    }

    /// The drain.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Begins to drain. Returns whether it has begun now.
    pub fn begin_drain(&self, why: &str) -> bool {
        self.drain_to(DrainPhase::Grace, why)
    }

    /// Drains, at least in the phase `least` from now on. Returns whether the drain has begun now.
    pub fn drain_to(&self, least: DrainPhase, why: &str) -> bool {
        let now_us = self.now_us();
        let begun = match least {
            DrainPhase::Serving => return false,
            DrainPhase::Grace => self.drain.begin(now_us),
            DrainPhase::Ending | DrainPhase::Over => self.drain.begin_at_once(now_us),
        };
        if begun {
            self.log.line("drain_begun", &[("why", &why), ("sessions", &self.admission.taken())]);
        }
        if least == DrainPhase::Over && self.drain.phase(now_us) < DrainPhase::Over {
            self.drain.hurry(now_us);
            self.log.line("drain_hurried", &[("why", &why), ("sessions", &self.admission.taken())]);
        }
        begun
    }

    /// Whether clients should be sent here, and if not, why.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), String> {
        if self.phase() != DrainPhase::Serving {
            return Err("draining".into());
        }
        self.live()
    }

    /// Whether every engine ticks.
    ///
    /// # Errors
    /// Which does not.
    pub fn live(&self) -> Result<(), String> {
        for scene in self.scenes.running() {
            if !scene.is_running() {
                return Err(format!("scene `{}` does not run any more", scene.name()));
            }
            let behind_us = scene.now_us().saturating_sub(scene.board().shown().engine.now_us);
            // Pictures are made once a second.
            if behind_us > 3_000_000 {
                return Err(format!("scene `{}` has not ticked for {} ms", scene.name(), behind_us / 1_000));
            }
        }
        Ok(())
    }

    /// To be called once a second: notes how busy the scenes are, lets go of those whose sessions are over.
    pub fn each_second(&self) {
        self.scenes.sweep();
        let shown: Vec<_> = self.scenes.running().iter().map(|scene| scene.board().shown()).collect();
        let rows: Vec<_> = shown.iter().map(|one| (&one.tick_work, &one.tick_late)).collect();
        self.load.lock().unwrap_or_else(PoisonError::into_inner).sample(self.now_us(), &rows);
    }

    /// See [`Load`].
    #[must_use]
    pub fn load_ratio(&self) -> f64 {
        let AdmissionFigures { taken, sessions_max, .. } = self.admission.figures();
        let share = f64::from(taken) / f64::from(sessions_max.max(1));
        self.load.lock().unwrap_or_else(PoisonError::into_inner).ratio(share)
    }

    /// How many sessions there are and may be, as `/capacity` has it.
    #[must_use]
    pub fn capacity(&self) -> serde_json::Value {
        let AdmissionFigures { taken, sessions_max, .. } = self.admission.figures();
        let draining = self.phase() != DrainPhase::Serving;
        serde_json::json!({
            "schema": 1,
            "sessions": taken,
            "max": sessions_max,
            "headroom": if draining { 0 } else { sessions_max.saturating_sub(taken) },
            "load": (self.load_ratio() * 1_000.0).round() / 1_000.0,
            "draining": draining,
        })
    }

    /// Adds what a connection's control messages came to, since it was last said.
    pub fn count_control(&self, transport: &'static str, figures: TransportFigures) {
        self.transports.add(transport, figures);
    }

    /// The metrics page of all scenes and of the server.
    #[must_use]
    pub fn metrics_page(&self, form: Form) -> String {
        let measured = Measured {
            admission: self.admission.figures(),
            load_ratio: self.load_ratio(),
            draining: self.phase() != DrainPhase::Serving,
        };
        metrics::page(&self.scenes.running(), &measured, &self.transports, form)
    }
}
