// A machine on node-opcua's server: an axis that moves to and fro, with the true travel counted here.
// node node_machine.cjs FOLDER [VALUES [refuse]]; VALUES: how many of each node its history keeps (none: no history);
// refuse: the history is declared, and refused when it is read. Commands on standard input: go, stop. Answers on standard output, one JSON a line.
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, UserTokenType, Variant, DataType,
  StatusCodes, HistoryReadResult } = require("node-opcua");
const readline = require("readline");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

async function main(folder, values, refuse) {
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
  const space = server.engine.addressSpace.registerNamespace("urn:spindleshare:test:mill");
  const name = (text) => ({ name: text, namespaceIndex: space.index });
  const machines = space.addFolder(server.engine.addressSpace.rootFolder.objects, { browseName: name("Machines") });
  const machine = space.addObject({ browseName: name("Mill"), organizedBy: machines });
  const variable = (text, dataType, value) => {
    const node = space.addVariable({ browseName: name(text), componentOf: machine, dataType, minimumSamplingInterval: 0 });
    node.setValueFromSource({ dataType, value });
    return node;
  };
  const clock = variable("Clock", DataType.DateTime, new Date());
  const position = variable("Position", DataType.Double, 0.0);
  const power = variable("Power", DataType.Boolean, true);
  if (values) {
    for (const node of [position, power]) {
      server.engine.addressSpace.installHistoricalDataNode(node, { maxOnlineValues: values });
      const told = node.readValue();
      node.setValueFromSource({ dataType: told.value.dataType, value: told.value.value }, StatusCodes.Good, new Date());
      if (refuse) node._historyRead = (context, details, range, encoding, more, callback) =>
        callback(null, new HistoryReadResult({ statusCode: StatusCodes.BadHistoryOperationUnsupported }));
    }
  }

  let going = false;
  let place = 0;
  let travel = 0;
  setInterval(() => {
    const now = new Date();
    if (going) {
      const next = place === 0 ? 1 + (travel % 7) : 0;
      travel += Math.abs(next - place);
      place = next;
      position.setValueFromSource({ dataType: DataType.Double, value: place }, StatusCodes.Good, now);
    }
    clock.setValueFromSource({ dataType: DataType.DateTime, value: now }, StatusCodes.Good, now);
  }, 120);

  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    going = line === "go";
    say({ going, travel, at: Date.now() });
  }).on("close", () => process.exit(0));
  await server.start();
  say({ url: `opc.tcp://127.0.0.1:${server.endpoints[0].port}` });
}

main(process.argv[2], Number(process.argv[3] || 0), process.argv[4] === "refuse").catch((error) => { say({ error: String(error) }); process.exit(1); });
