//! The two ways in which a client is spoken to.

use std::io::{self, Read, Write};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};

use super::patient::Patient;
use super::tls::Tls;

/// The client's side of a connection.
pub(super) enum Stream<'s> {
    Plain(Patient<'s>),
    Tls(Box<StreamOwned<ServerConnection, Patient<'s>>>),
}

impl<'s> Stream<'s> {
    /// With TLS its handshake is done before a request is read.
    pub(super) fn open(
        mut patient: Patient<'s>,
        tls: Option<&Tls>,
        patience: Duration,
    ) -> io::Result<Self> {
        let Some(tls) = tls else {
            return Ok(Self::Plain(patient));
        };
        patient.wait_for(patience, true);
        let mut connection = ServerConnection::new(tls.config()).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut patient)?;
        }
        let stream = StreamOwned::new(connection, patient);
        Ok(Self::Tls(Box::new(stream)))
    }

    pub(super) fn patient(&mut self) -> &mut Patient<'s> {
        match self {
            Self::Plain(patient) => patient,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    pub(super) fn close(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            if stream.flush().is_err() {
                return;
            }
        }
        self.patient().close();
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(patient) => patient.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(patient) => patient.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(patient) => patient.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
