//! The models send nothing over a wire.
