//! Rules over a cluster, and the VRRP election simulated exhaustively.
