//! HTTP/2 on both sides: what RFC 9113 owes, what clients and vendors do, what attackers try.

mod harness;

mod http2 {
    mod abuse;
    mod clients;
    mod conformance;
    mod flow;
    mod safe_again;
    mod secured;
    mod vendors;
}
