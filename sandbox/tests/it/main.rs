//! The sandbox from outside: real git, real gh, plain HTTP.

mod support;

mod gh;
mod openapi;
mod push;
mod secrets;
