//! Who is here: each device's connections, and which of them is its presence. Never journalled (design 3).

use std::collections::BTreeMap;

use super::session::Admitted;
use crate::id::{ConnId, DeviceLabel, DeviceName, Serial, UserName};
use crate::limits::CONNECTIONS_PER_DEVICE_MAX;

/// The connections of all devices.
#[derive(Debug, Default)]
pub struct Roster {
    /// In the order of their admission; connection numbers only grow.
    connected: BTreeMap<DeviceName, Vec<ConnId>>,
    attending: BTreeMap<UserName, BTreeMap<DeviceLabel, Present>>,
}

/// How a device is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// The connection.
    pub conn: ConnId,
    /// The certificate that was proved on it, or has renewed the one that was.
    pub serial: Serial,
    /// The number of the revocation lists that it has said to go by.
    pub listed: u64,
}

/// What an attendance changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attended {
    /// The device was absent.
    New,
    /// The device was present by an older connection, which must go.
    Replaces(ConnId),
    /// The device is present by a newer connection already: this one must go.
    Outdated,
    /// Nothing.
    Again,
}

impl Roster {
    /// Takes in a connection; if its device has too many, gives the oldest that does not attend, which must go.
    pub fn connected(&mut self, admitted: &Admitted) -> Option<ConnId> {
        let attending = self.attending(admitted.device());
        let conns = self.connected.entry(admitted.device().clone()).or_default();
        conns.push(admitted.conn());
        if conns.len() <= CONNECTIONS_PER_DEVICE_MAX {
            return None;
        }
        conns.iter().copied().find(|conn| Some(*conn) != attending)
    }

    /// Makes a connection its device's presence.
    pub fn attend(&mut self, admitted: &Admitted) -> Attended {
        let device = admitted.device();
        match self.attending(device) {
            Some(current) if current == admitted.conn() => return Attended::Again,
            // Connections are numbered in the order of their coming: a word that was long on its way changes nothing.
            Some(current) if current > admitted.conn() => return Attended::Outdated,
            Some(_) | None => {}
        }
        let devices = self.attending.entry(device.user.clone()).or_default();
        let present = Present { conn: admitted.conn(), serial: admitted.serial(), listed: 0 };
        match devices.insert(device.device.clone(), present) {
            None => Attended::New,
            Some(older) => Attended::Replaces(older.conn),
        }
    }

    /// The proof of a connection has moved on to another certificate.
    pub fn renewed(&mut self, admitted: &Admitted) {
        let device = admitted.device();
        let present = self.attending.get_mut(&device.user).and_then(|devices| devices.get_mut(&device.device));
        if let Some(present) = present.filter(|present| present.conn == admitted.conn()) {
            present.serial = admitted.serial();
        }
    }

    /// Forgets a connection; whether its device is absent from now on.
    pub fn gone(&mut self, admitted: &Admitted) -> bool {
        let device = admitted.device();
        if let Some(conns) = self.connected.get_mut(device) {
            conns.retain(|conn| *conn != admitted.conn());
            if conns.is_empty() {
                self.connected.remove(device);
            }
        }
        let was_presence = self.attending(device) == Some(admitted.conn());
        if was_presence && let Some(devices) = self.attending.get_mut(&device.user) {
            devices.remove(&device.device);
            if devices.is_empty() {
                self.attending.remove(&device.user);
            }
        }
        was_presence
    }

    /// A device goes by the revocation lists of this number, if this connection is its presence.
    pub fn listed(&mut self, admitted: &Admitted, number: u64) {
        let device = admitted.device();
        let present = self.attending.get_mut(&device.user).and_then(|devices| devices.get_mut(&device.device));
        if let Some(present) = present.filter(|present| present.conn == admitted.conn()) {
            present.listed = number;
        }
    }

    /// How many of the devices that are present go by lists of this number or newer ones, and how many do not: without a
    /// copy of anything, since any member may ask.
    pub fn acted_counts(&self, number: u64) -> [u32; 2] {
        let present = self.attending.values().flat_map(BTreeMap::values);
        present.fold(
            [0; 2],
            |[acted, left], present| {
                if present.listed >= number { [acted + 1, left] } else { [acted, left + 1] }
            },
        )
    }

    /// The devices that are present, in order of name, and whether each goes by lists of this number or newer ones.
    pub fn acted(&self, number: u64) -> Vec<(DeviceName, bool)> {
        let of_user = |(user, devices): (&UserName, &BTreeMap<DeviceLabel, Present>)| -> Vec<(DeviceName, bool)> {
            let name = |device: &DeviceLabel| DeviceName { user: user.clone(), device: device.clone() };
            devices.iter().map(|(device, present)| (name(device), present.listed >= number)).collect()
        };
        self.attending.iter().flat_map(of_user).collect()
    }

    /// All connections of a device.
    pub fn conns_of(&self, device: &DeviceName) -> Vec<ConnId> {
        self.connected.get(device).cloned().unwrap_or_default()
    }

    /// The connection by which a device is present.
    pub fn attending(&self, device: &DeviceName) -> Option<ConnId> {
        Some(self.attending.get(&device.user)?.get(&device.device)?.conn)
    }

    /// The devices by which a person is present, in order of name.
    pub fn devices_of(&self, user: &UserName) -> impl Iterator<Item = (DeviceName, Present)> + '_ {
        let (user, devices) = (user.clone(), self.attending.get(user).into_iter().flatten());
        devices.map(move |(device, present)| (DeviceName { user: user.clone(), device: device.clone() }, *present))
    }

    /// The connections by which a person is present.
    pub fn attending_conns(&self, user: &UserName) -> impl Iterator<Item = ConnId> + '_ {
        self.attending.get(user).into_iter().flat_map(|devices| devices.values().map(|present| present.conn))
    }

    /// The devices that are present, in order of name.
    pub fn devices(&self) -> impl Iterator<Item = DeviceName> + '_ {
        self.attending.iter().flat_map(|(user, devices)| {
            devices.keys().map(|device| DeviceName { user: user.clone(), device: device.clone() })
        })
    }

    /// All connections of all devices, also of those that are not present, or not yet.
    pub fn all_conns(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.connected.values().flatten().copied()
    }

    /// The connections by which they are.
    pub fn conns(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.attending.values().flat_map(|devices| devices.values().map(|present| present.conn))
    }
}
