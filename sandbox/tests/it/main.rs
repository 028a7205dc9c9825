//! The sandbox from outside: real git, real gh, plain HTTP.

mod support;

mod actions;
mod barred;
mod executed;
mod faults;
mod gh;
mod job_token;
mod openapi;
mod push;
mod records;
mod refused;
mod reports;
mod rest;
mod schedule;
mod secrets;
mod snapshot;
mod stopped;
