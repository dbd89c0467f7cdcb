// In every Node function: connections to the names of WSLOCAL_NAMES go to WSLOCAL_HOME, 127.0.0.1:PORT.
//
// A name that begins with a dot means all names with this end. All of tls, https, http2 and fetch end in
// Socket.connect, which gets the address only: TLS still asks for the real name and checks it.
"use strict";

const home = process.env.WSLOCAL_HOME;

if (home) {
  const { Socket } = require("node:net");
  const host = home.slice(0, home.lastIndexOf(":"));
  const port = Number(home.slice(home.lastIndexOf(":") + 1));
  const names = (process.env.WSLOCAL_NAMES ?? "").toLowerCase().split(",").filter(Boolean);
  const connect = Socket.prototype.connect;

  const leadsHome = (wanted) => {
    if (typeof wanted !== "string") return false;
    const name = wanted.toLowerCase().replace(/\.$/, "");
    return names.some((known) => (known.startsWith(".") ? name.endsWith(known) : name === known));
  };
  const redirected = (options) => ({ ...options, host, port, lookup: undefined });

  Socket.prototype.connect = function (...given) {
    const [first, second] = given;
    if (Array.isArray(first) && leadsHome(first[0]?.host)) {
      first[0] = redirected(first[0]); // made by Node itself: the options, and what to call then
    } else if (first !== null && typeof first === "object" && leadsHome(first.host)) {
      given[0] = redirected(first);
    } else if (leadsHome(second)) {
      given.splice(0, 2, port, host);
    }
    return connect.apply(this, given);
  };
}
