//! The sandbox from outside: real git, real gh, plain HTTP.

mod support;

mod actions;
mod executed;
mod faults;
mod gh;
mod openapi;
mod push;
mod rest;
mod secrets;
