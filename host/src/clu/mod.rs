//! The CLU actor protocol over AMQP 0-9-1 (sdss-clu 2.6).

pub mod bus;
