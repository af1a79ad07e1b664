//! Bedrock on both sides of the gateway, over sockets: as a vendor for OpenAI's and Anthropic's
//! clients, and Bedrock's own clients before every vendor.

mod bedrock {
    mod client;
    mod house;
    mod invoke;
    mod vendor;
}
mod harness;
