"use strict";
// Loaded before the engine (`node -r`). The engine has no setting for the address, so every server that it opens is
// moved to 127.0.0.1 here. It also insists on two ports, plain and TLS, that are known beforehand: it is given two
// reserved numbers, which stand for "the plain one" and "the TLS one", and gets free ports of the system's choice.
const fs = require("fs");
const net = require("net");

const plain = Number(process.env.KINESIS_MOCK_PLAIN_PORT);
const wantedPort = Number(process.env.CADABRA_ENGINE_PORT || 0);
const portFile = process.env.CADABRA_ENGINE_PORT_FILE;
const listen = net.Server.prototype.listen;

function tellPort(server) {
  server.once("listening", () => {
    fs.writeFileSync(`${portFile}.part`, `${server.address().port}\n`);
    fs.renameSync(`${portFile}.part`, portFile);
  });
}

net.Server.prototype.listen = function listenOnLoopback(first, ...rest) {
  const options = typeof first === "object" && first !== null ? { ...first } : { port: Number(first) };
  if (options.path !== undefined) {
    throw new Error("only TCP servers are expected");
  }
  const isPlain = Number(options.port) === plain;
  if (isPlain) {
    tellPort(this);
  }
  const callback = rest.filter((argument) => typeof argument === "function");
  return listen.call(this, { ...options, host: "127.0.0.1", port: isPlain ? wantedPort : 0 }, ...callback);
};
