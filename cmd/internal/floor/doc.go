// Package floor is the least that a server can do, as a measure for others: it answers every request of pgbench's SELECT, and
// every login, with the same bytes, reading nothing but their length, from two threads with an epoll set each. What it costs is
// what sockets, the kernel and the clients cost on this machine.
package floor
