// Has `Date` show a time that is off by the seconds in the process's last argument; see shifted_clock.py.
"use strict";

const shift = Number(process.argv.at(-1)) * 1000;
const Real = Date;
const now = () => Real.now() + shift;

globalThis.Date = new Proxy(Real, {
  construct: (target, given, made) => Reflect.construct(target, given.length ? given : [now()], made),
  apply: () => new Real(now()).toString(),
  get: (target, key, receiver) => (key === "now" ? now : Reflect.get(target, key, receiver)),
});
