//! What operators write, from file to lane: read, compiled, refused, swapped.

mod config {
    mod broken;
    mod desk;
    mod files;
    mod good;
    mod money;
    mod reload;
    mod routes;
    mod secrecy;
    mod text;
}
