//! Lifecycles: the five that ship, what is refused, and the text that identifies a definition.

mod canonical;
mod refused;
mod shipped;
mod terms;
