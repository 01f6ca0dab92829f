'use strict';
// Perfetto's trace processor, as its web page runs it, outside a browser.
//
//     node trace_engine.js FOLDER < requests > replies
//
// FOLDER holds engine_bundle.js and its WebAssembly. A request is a TraceProcessorRpcStream behind
// its length, 32 bits little-endian; replies are one stream.
const { readFileSync, writeSync } = require('node:fs');
const { basename, join } = require('node:path');
const vm = require('node:vm');

const folder = process.argv[2];
const bytesOf = (url) => readFileSync(join(folder, basename(String(url))));
const complain = (text) => process.stderr.write(`${text}\n`);

// A worker of a browser, as far as the engine asks for one.
const worker = vm.createContext({
  console: { log: complain, warn: complain, error: complain },
  TextDecoder, TextEncoder, URL, setTimeout, clearTimeout, performance,
  WorkerGlobalScope: class {},
  location: { href: 'file:///engine_bundle.js' },
  importScripts: () => {},
  XMLHttpRequest: class {
    open(_method, url) { this.url = url; }
    send() {
      const file = bytesOf(this.url);
      this.response = file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
      this.status = 200;
    }
  },
});
worker.self = worker;
vm.runInContext(readFileSync(join(folder, 'engine_bundle.js'), 'utf8'), worker);
// The engine looks whether it is given bytes of its own world.
const bytes = vm.runInContext('(raw) => new Uint8Array(raw)', worker);
const port = { postMessage: (reply) => writeSync(1, reply) };
worker.onmessage({ data: port });

// The engine has its buffer once what it has begun by now has ended.
setImmediate(() => {
  const input = readFileSync(0);
  for (let at = 0; at < input.length; ) {
    const size = input.readUInt32LE(at);
    port.onmessage({ data: bytes(input.subarray(at + 4, at + 4 + size)) });
    at += 4 + size;
  }
});
