// A machine on node-opcua's server whose every node changes ten times a second, and which counts what it changed.
//   node machine.cjs FOLDER ITEMS
// Standard input: a number of ticks, after which it rests again. Answers on standard output, one JSON a line.
// Of the first 96 nodes half are axis positions (mm), a quarter spindle speeds (1/min) and a quarter spindle loads (%), which
// is as many registers as a record holds; all others are loads.
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, DataType, StatusCodes } =
  require("node-opcua");
const readline = require("readline");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const KINDS = [
  { name: "Position", first: 0, then: (n) => 1 + (n % 7) },
  { name: "Speed", first: 3000, then: (n) => 3100 + n },
  { name: "Position", first: 0, then: (n) => 2 + (n % 5) },
  { name: "Load", first: 20, then: (n) => 21 + (n % 70) },
];

async function main(folder, items) {
  const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true });
  await certificates.initialize();
  const server = new OPCUAServer({
    port: 0,
    hostname: "127.0.0.1",
    securityPolicies: [SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: false,
    serverCertificateManager: certificates,
    userManager: { isValidUser: (user, password) => user === "agent" && password === "a secret of the test" },
  });
  await server.initialize();
  const space = server.engine.addressSpace.registerNamespace("urn:spindleshare:bench:load");
  const folderNode = space.addFolder(server.engine.addressSpace.rootFolder.objects, { browseName: "Load" });
  const variable = (text, dataType, value) => {
    const node = space.addVariable({
      nodeId: `s=${text}`, browseName: text, componentOf: folderNode, dataType, minimumSamplingInterval: 0,
    });
    node.setValueFromSource({ dataType, value });
    return node;
  };
  const clock = variable("Clock", DataType.DateTime, new Date());
  const counts = {};
  const nodes = Array.from({ length: items }, (_, number) => {
    const kind = KINDS[number < 96 ? number % KINDS.length : 3];
    counts[kind.name] = (counts[kind.name] || 0) + 1;
    return { kind, number, node: variable(`${kind.name}${counts[kind.name]}`, DataType.Double, kind.first) };
  });

  let left = 0;
  let moved = false;
  let changed = 0;
  let travel = 0;
  const tick = (now) => {
    left -= 1;
    moved = !moved;
    for (const { kind, number, node } of nodes) {
      node.setValueFromSource(
        { dataType: DataType.Double, value: moved ? kind.then(number) : kind.first }, StatusCodes.Good, now);
      changed += 1;
      if (kind.name === "Position") travel += kind.then(number);
    }
  };
  // Each time one millisecond later at least, so that no two values of a node bear the same time.
  let last = 0;
  setInterval(() => {
    const now = new Date(Math.max(Date.now(), last + 1));
    last = now.getTime();
    const going = left > 0;
    if (going) tick(now);
    clock.setValueFromSource({ dataType: DataType.DateTime, value: now }, StatusCodes.Good, now);
    if (going && left === 0) say({ changed, travel_mm: travel, at_ms: last });
  }, 100);
  readline.createInterface({ input: process.stdin })
    .on("line", (line) => { left = Number(line); })
    .on("close", () => process.exit(0));
  await server.start();
  say({ url: `opc.tcp://127.0.0.1:${server.endpoints[0].port}` });
}

main(process.argv[2], Number(process.argv[3])).catch((error) => { say({ error: String(error.stack) }); process.exit(1); });
