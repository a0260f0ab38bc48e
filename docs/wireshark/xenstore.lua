-- Dissector of xenstore messages (struct xsd_sockmsg) for Wireshark and tshark, 3.6 or newer.
-- It reads what `xenarium run --trace FILE.pcapng` writes: docs/trace.md tells how to install it, and what it shows.
-- Source of the protocol: xen/include/public/io/xs_wire.h, docs/misc/xenstore.txt.

local xenstore = Proto("xenstore", "Xenstore")

local TYPES = {
  [0] = "CONTROL", [1] = "DIRECTORY", [2] = "READ", [3] = "GET_PERMS", [4] = "WATCH", [5] = "UNWATCH",
  [6] = "TRANSACTION_START", [7] = "TRANSACTION_END", [8] = "INTRODUCE", [9] = "RELEASE", [10] = "GET_DOMAIN_PATH",
  [11] = "WRITE", [12] = "MKDIR", [13] = "RM", [14] = "SET_PERMS", [15] = "WATCH_EVENT", [16] = "ERROR",
  [17] = "IS_DOMAIN_INTRODUCED", [18] = "RESUME", [19] = "SET_TARGET", [21] = "RESET_WATCHES", [22] = "DIRECTORY_PART",
  [23] = "GET_FEATURE", [24] = "SET_FEATURE", [25] = "GET_QUOTA", [26] = "SET_QUOTA",
}
local KINDS = { [0] = "request", [1] = "reply", [2] = "watch event", [3] = "happening" }
local DIRECTIONS = { [0] = "to the store", [1] = "from the store", [2] = "none" }
local LINKS = { [0] = "ring", [1] = "socket", [2] = "none" }
local ACCESS = { n = "none", r = "read", w = "write", b = "read and write" }
local KIND_REQUEST, KIND_REPLY, KIND_EVENT, KIND_HAPPENING = 0, 1, 2, 3
local HEADER_BYTES, PAYLOAD_MAX = 16, 4096

local f = {
  -- What comes before the message (docs/trace.md).
  version = ProtoField.uint8("xenstore.version", "Version of the record"),
  kind = ProtoField.uint8("xenstore.kind", "Kind", base.DEC, KINDS),
  direction = ProtoField.uint8("xenstore.direction", "Direction", base.DEC, DIRECTIONS),
  link = ProtoField.uint8("xenstore.conn.link", "Link", base.DEC, LINKS),
  split_written = ProtoField.bool("xenstore.split.written", "Written across a live update", 16, nil, 0x1),
  split_read = ProtoField.bool("xenstore.split.read", "Read across a live update", 16, nil, 0x2),
  cut = ProtoField.bool("xenstore.cut", "Not all of it came", 16, nil, 0x4),
  hostile = ProtoField.bool("xenstore.conn.hostile", "The guest keeps no rule", 16, nil, 0x8),
  host = ProtoField.uint16("xenstore.host", "Host"),
  domid = ProtoField.uint16("xenstore.conn.domid", "Domain of the connection"),
  conn = ProtoField.uint32("xenstore.conn", "Connection"),
  seq = ProtoField.uint32("xenstore.seq", "Record of the history (show --around)"),
  begun_seq = ProtoField.uint32("xenstore.begun_seq", "Record with its first octet"),
  begun = ProtoField.absolute_time("xenstore.begun", "First octet written"),
  took = ProtoField.relative_time("xenstore.took", "From first octet to last"),
  name = ProtoField.string("xenstore.conn.name", "Name of the connection"),
  happening = ProtoField.string("xenstore.happening", "What happened"),
  happening_text = ProtoField.string("xenstore.happening.text", "In words"),
  -- struct xsd_sockmsg
  type = ProtoField.uint32("xenstore.type", "Type", base.DEC, TYPES),
  req_id = ProtoField.uint32("xenstore.req_id", "Request id"),
  tx_id = ProtoField.uint32("xenstore.tx_id", "Transaction id"),
  len = ProtoField.uint32("xenstore.len", "Length of the payload"),
  payload = ProtoField.bytes("xenstore.payload", "Payload"),
  -- Payloads
  string = ProtoField.string("xenstore.string", "String"),
  path = ProtoField.string("xenstore.path", "Path"),
  value = ProtoField.bytes("xenstore.value", "Value"),
  value_text = ProtoField.string("xenstore.value.text", "Value as text"),
  child = ProtoField.string("xenstore.child", "Child"),
  token = ProtoField.string("xenstore.token", "Token"),
  depth = ProtoField.string("xenstore.depth", "Depth"),
  perm = ProtoField.string("xenstore.perm", "Permission"),
  perm_access = ProtoField.string("xenstore.perm.access", "Access"),
  perm_domid = ProtoField.uint16("xenstore.perm.domid", "Domain"),
  error = ProtoField.string("xenstore.error", "Error"),
  request_type = ProtoField.uint32("xenstore.request_type", "Type of the request", base.DEC, TYPES),
  arg_domid = ProtoField.string("xenstore.domid", "Domain"),
  target = ProtoField.string("xenstore.target", "Target domain"),
  gfn = ProtoField.string("xenstore.gfn", "Frame of the ring"),
  evtchn = ProtoField.string("xenstore.evtchn", "Event channel"),
  commit = ProtoField.bool("xenstore.commit", "Commit"),
  new_tx = ProtoField.string("xenstore.new_tx_id", "New transaction"),
  command = ProtoField.string("xenstore.control.command", "Command"),
  argument = ProtoField.string("xenstore.control.argument", "Argument"),
  answer = ProtoField.string("xenstore.answer", "Answer"),
  offset = ProtoField.string("xenstore.offset", "Offset"),
  generation = ProtoField.string("xenstore.generation", "Generation"),
  feature = ProtoField.string("xenstore.feature", "Features"),
  quota = ProtoField.string("xenstore.quota", "Quota"),
  quota_value = ProtoField.string("xenstore.quota.value", "Value of the quota"),
  -- Frames that belong together
  response_in = ProtoField.framenum("xenstore.response_in", "Answered in frame", base.NONE, frametype.RESPONSE),
  response_to = ProtoField.framenum("xenstore.response_to", "Answers frame", base.NONE, frametype.REQUEST),
  time = ProtoField.relative_time("xenstore.time", "Time since the request"),
  unanswered = ProtoField.bool("xenstore.unanswered", "No answer so far"),
  tx_start_in = ProtoField.framenum("xenstore.tx_start_in", "Transaction begun in frame", base.NONE),
  watch_in = ProtoField.framenum("xenstore.watch_in", "Watch set in frame", base.NONE),
}
local fields = {}
for _, field in pairs(f) do fields[#fields + 1] = field end
xenstore.fields = fields

local e = {
  error = ProtoExpert.new("xenstore.expert.error", "The request failed", expert.group.RESPONSE_CODE, expert.severity.NOTE),
  unknown = ProtoExpert.new("xenstore.expert.unknown_type", "No such type", expert.group.PROTOCOL, expert.severity.WARN),
  overlong = ProtoExpert.new("xenstore.expert.overlong", "More than XENSTORE_PAYLOAD_MAX", expert.group.PROTOCOL, expert.severity.ERROR),
  short = ProtoExpert.new("xenstore.expert.short", "The message is not whole", expert.group.PROTOCOL, expert.severity.WARN),
  unended = ProtoExpert.new("xenstore.expert.unterminated", "A string without its NUL", expert.group.PROTOCOL, expert.severity.WARN),
  version = ProtoExpert.new("xenstore.expert.version", "A version of the record that this dissector does not know", expert.group.UNDECODED, expert.severity.WARN),
  unasked = ProtoExpert.new("xenstore.expert.unasked", "A reply to no request of this capture", expert.group.SEQUENCE, expert.severity.NOTE),
  split = ProtoExpert.new("xenstore.expert.split", "The message lies across a live update", expert.group.SEQUENCE, expert.severity.NOTE),
  finding = ProtoExpert.new("xenstore.expert.finding", "A check of the run does not hold", expert.group.SEQUENCE, expert.severity.ERROR),
}
xenstore.experts = { e.error, e.unknown, e.overlong, e.short, e.unended, e.version, e.unasked, e.split, e.finding }

-- To the ns: what pinfo has of time is a double.
local frame_time = Field.new("frame.time_epoch")

-- What earlier frames said, gathered when each frame is seen for the first time

local seen     -- frames that were gathered: pinfo.visited is also true of frames that tshark -2 only read
local asked    -- frame of a request -> { type, time, response }
local answers  -- frame of a reply -> frame of its request
local pending  -- connection and req_id -> frames of requests without a reply, oldest first
local begins   -- connection and transaction -> frame of its TRANSACTION_START
local of_tx    -- frame -> frame of the TRANSACTION_START
local watches  -- connection -> token -> list of { path, frame }
local of_event -- frame of a watch event -> frame of the WATCH

function xenstore.init()
  seen, asked, answers, pending, begins, of_tx, watches, of_event = {}, {}, {}, {}, {}, {}, {}, {}
end

-- The oldest request of that id that the reply can belong to: an answer has its request's type, or ERROR.
local function match(key, kind)
  local frames = pending[key] or {}
  for i, frame in ipairs(frames) do
    if TYPES[kind] == "ERROR" or asked[frame].type == kind then
      table.remove(frames, i)
      return frame
    end
  end
end

local function is_under(path, watched)
  return path == watched or watched == "/" or path:sub(1, #watched + 1) == watched .. "/" or watched:sub(1, 1) == "@"
end

-- Strings -------------------------------------------------------------------------------------------------------------

-- The NUL-terminated strings of a range as { text, range }; the second result is what comes behind the last NUL.
local function split(range)
  local found, raw, from = {}, range:raw(), 1
  while true do
    local nul = raw:find("\0", from, true)
    if nul == nil then break end
    found[#found + 1] = { text = raw:sub(from, nul - 1), range = range:range(from - 1, nul - from + 1) }
    from = nul + 1
  end
  local rest = from <= #raw and range:range(from - 1) or nil
  return found, rest
end

-- A text with its control octets made visible.
local function shown(text)
  local plain = text:gsub("[%c\128-\255]", function(c) return string.format("\\x%02x", c:byte()) end)
  return #plain > 80 and plain:sub(1, 77) .. "..." or plain
end

-- The strings of a payload that is nothing but strings; what is behind the last NUL is one, too, and a mistake.
local function strings(payload, tree, can_lack_end)
  if payload == nil then return {} end
  local found, rest = split(payload)
  if rest ~= nil then
    if not can_lack_end then tree:add_proto_expert_info(e.unended) end
    found[#found + 1] = { text = rest:raw(), range = rest }
  end
  return found
end

local function add(tree, field, string) return tree:add(field, string.range, shown(string.text)) end

local function add_value(tree, range)
  if range == nil then return "" end
  tree:add(f.value, range)
  tree:add(f.value_text, range, shown(range:raw()))
  return shown(range:raw())
end

local function add_perms(tree, found, from)
  for i = from, #found do
    local perm = found[i]
    local item = add(tree, f.perm, perm)
    local letter, domid = perm.text:match("^([nrwb])(%d+)$")
    if letter ~= nil then
      item:add(f.perm_access, perm.range:range(0, 1), ACCESS[letter])
      item:add(f.perm_domid, perm.range:range(1), tonumber(domid) % 65536)
    end
  end
end

local function texts(found, from)
  local all = {}
  for i = from or 1, #found do all[#all + 1] = shown(found[i].text) end
  return table.concat(all, " ")
end

-- Payloads: each adds what it finds and returns a line -------------------------------------------------------------------

-- Strings in order, each with its field; those beyond go on with the last.
local function named(...)
  local names = { ... }
  return function(payload, tree)
    local found = strings(payload, tree)
    for i, string in ipairs(found) do add(tree, f[names[math.min(i, #names)]], string) end
    return texts(found)
  end
end

local function path_and_value(payload, tree)
  local nul = payload and payload:raw():find("\0", 1, true)
  if nul == nil then
    tree:add_proto_expert_info(e.unended)
    return payload and shown(payload:raw()) or ""
  end
  local path = { text = payload:raw():sub(1, nul - 1), range = payload:range(0, nul) }
  add(tree, f.path, path)
  local value = nul < payload:len() and payload:range(nul) or nil
  return shown(path.text) .. " = " .. add_value(tree, value)
end

local function path_and_perms(payload, tree)
  local found = strings(payload, tree)
  if found[1] ~= nil then add(tree, f.path, found[1]) end
  add_perms(tree, found, 2)
  return texts(found)
end

local function perms(payload, tree)
  local found = strings(payload, tree)
  add_perms(tree, found, 1)
  return texts(found)
end

-- Strings of which the first may be missing: fields are told from the last one on.
local function from_the_end(...)
  local names = { ... }
  return function(payload, tree)
    local found = strings(payload, tree)
    local missing = #names - #found
    for i, string in ipairs(found) do add(tree, f[names[math.max(1, i + missing)]], string) end
    return texts(found)
  end
end

local function commit(payload, tree)
  local found = strings(payload, tree)
  if found[1] ~= nil then tree:add(f.commit, found[1].range, found[1].text == "T") end
  return found[1] == nil and "" or (found[1].text == "T" and "commit" or "abort")
end

local function value(payload, tree) return add_value(tree, payload) end

-- An answer of CONTROL is text, which not every command ends with a NUL.
local function answer(payload, tree)
  local found = strings(payload, tree, true)
  for _, string in ipairs(found) do add(tree, f.answer, string) end
  return texts(found)
end

local REQUESTS = {
  CONTROL = named("command", "argument"), DIRECTORY = named("path"), READ = named("path"), GET_PERMS = named("path"),
  WATCH = named("path", "token", "depth"), UNWATCH = named("path", "token"), TRANSACTION_START = named("string"),
  TRANSACTION_END = commit, INTRODUCE = named("arg_domid", "gfn", "evtchn", "string"), RELEASE = named("arg_domid"),
  GET_DOMAIN_PATH = named("arg_domid"), WRITE = path_and_value, MKDIR = named("path"), RM = named("path"),
  SET_PERMS = path_and_perms, IS_DOMAIN_INTRODUCED = named("arg_domid"), RESUME = named("arg_domid"),
  SET_TARGET = named("arg_domid", "target"), RESET_WATCHES = named("string"), DIRECTORY_PART = named("path", "offset"),
  GET_FEATURE = named("arg_domid"), SET_FEATURE = from_the_end("arg_domid", "feature"),
  GET_QUOTA = from_the_end("arg_domid", "quota"), SET_QUOTA = from_the_end("arg_domid", "quota", "quota_value"),
}
local REPLIES = {
  CONTROL = answer, DIRECTORY = named("child"), READ = value, GET_PERMS = perms, TRANSACTION_START = named("new_tx"),
  GET_DOMAIN_PATH = named("path"), DIRECTORY_PART = named("generation", "child"), GET_FEATURE = named("feature"),
  GET_QUOTA = named("quota_value"), WATCH_EVENT = named("path", "token", "depth"), ERROR = named("error"),
}

-- Frames that belong together ------------------------------------------------------------------------------------------

local function gather(kind, message, at, pinfo)
  local frame, name = pinfo.number, TYPES[message.type]
  local key = at .. " " .. message.req_id
  if message.tx_id ~= 0 then of_tx[frame] = begins[at .. " " .. message.tx_id] end
  if kind == KIND_REQUEST then
    asked[frame] = { type = message.type, time = frame_time().value }
    pending[key] = pending[key] or {}
    table.insert(pending[key], frame)
    local found = message.strings
    if name == "WATCH" and #found >= 2 then
      watches[at] = watches[at] or {}
      local of_token = watches[at][found[2].text] or {}
      watches[at][found[2].text] = of_token
      table.insert(of_token, { path = found[1].text, frame = frame })
    end
  elseif kind == KIND_EVENT then
    local path, token = message.strings[1], message.strings[2]
    local of_token = path and token and watches[at] and watches[at][token.text] or {}
    for i = #of_token, 1, -1 do
      if is_under(path.text, of_token[i].path) then of_event[frame] = of_token[i].frame break end
    end
  else
    local request = match(key, message.type)
    if request == nil then return end
    answers[frame] = request
    asked[request].response = frame
    if name == "TRANSACTION_START" and message.strings[1] ~= nil then
      begins[at .. " " .. message.strings[1].text] = request
    end
  end
end

local function add_frames(kind, message, tree, pinfo, is_new)
  local frame = pinfo.number
  if of_tx[frame] ~= nil then tree:add(f.tx_start_in, of_tx[frame]):set_generated() end
  if of_event[frame] ~= nil then tree:add(f.watch_in, of_event[frame]):set_generated() end
  if kind == KIND_REQUEST then
    local response = asked[frame] and asked[frame].response
    if response ~= nil then tree:add(f.response_in, response):set_generated()
    elseif not is_new then tree:add(f.unanswered, true):set_generated() end
  elseif kind == KIND_REPLY then
    local request = answers[frame]
    if request == nil then
      tree:add_proto_expert_info(e.unasked)
      return
    end
    tree:add(f.response_to, request):set_generated()
    tree:add(f.time, frame_time().value - asked[request].time):set_generated()
    if TYPES[message.type] == "ERROR" then tree:add(f.request_type, asked[request].type):set_generated() end
  end
end

-- A message ---------------------------------------------------------------------------------------------------------------

local function dissect_message(kind, range, tree, pinfo, at, is_cut)
  local octets = range:len()
  if octets < HEADER_BYTES then
    tree:add_proto_expert_info(e.short)
    tree:add(f.payload, range)
    return string.format("%d octets of a header", octets)
  end
  local message = { type = range:range(0, 4):le_uint(), req_id = range:range(4, 4):le_uint(), tx_id = range:range(8, 4):le_uint() }
  local type_item = tree:add_le(f.type, range:range(0, 4))
  tree:add_le(f.req_id, range:range(4, 4))
  tree:add_le(f.tx_id, range:range(8, 4))
  local len = range:range(12, 4):le_uint()
  local len_item = tree:add_le(f.len, range:range(12, 4))
  local name = TYPES[message.type]
  if name == nil then type_item:add_proto_expert_info(e.unknown) end
  if len > PAYLOAD_MAX then len_item:add_proto_expert_info(e.overlong) end
  local payload = octets > HEADER_BYTES and range:range(HEADER_BYTES) or nil
  if is_cut or octets < HEADER_BYTES + len then
    tree:add_proto_expert_info(e.short)
    if payload ~= nil then tree:add(f.payload, payload) end
    return string.format("%s, %d of %d octets", name or tostring(message.type), octets - HEADER_BYTES, len)
  end
  message.strings = payload and split(payload) or {}
  local is_new = seen[pinfo.number] == nil
  seen[pinfo.number] = true
  if is_new then gather(kind, message, at, pinfo) end
  local body = payload and tree:add(f.payload, payload) or tree
  local how = kind == KIND_REQUEST and REQUESTS[name] or kind ~= KIND_REQUEST and (REPLIES[name] or named("answer"))
  local line = how and how(payload, body) or (payload and shown(payload:raw()) or "")
  if kind == KIND_REPLY and name == "ERROR" then tree:add_proto_expert_info(e.error, "The request failed: " .. line) end
  add_frames(kind, message, tree, pinfo, is_new)
  local tx = message.tx_id == 0 and "" or string.format(" tx %d", message.tx_id)
  local request = kind == KIND_REPLY and name == "ERROR" and answers[pinfo.number]
  local to = request and string.format(" to %s", TYPES[asked[request].type] or asked[request].type) or ""
  return string.format("%s%s%s %s", name or "type " .. message.type, to, tx, line)
end

-- A record ---------------------------------------------------------------------------------------------------------------

local ARROWS = { [KIND_REQUEST] = "", [KIND_REPLY] = "reply: ", [KIND_EVENT] = "event: ", [KIND_HAPPENING] = "" }
local FIXED_OCTETS = 36

function xenstore.dissector(tvb, pinfo, root)
  if tvb:len() < FIXED_OCTETS or tvb(0, 1):uint() ~= 1 then
    root:add(xenstore, tvb()):add_proto_expert_info(e.version)
    return tvb:len()
  end
  pinfo.cols.protocol = "XENSTORE"
  local header = tvb(2, 2):le_uint()
  local kind = tvb(1, 1):uint()
  local conn = tvb(12, 4):le_uint()
  local at = tvb(8, 2):le_uint() .. " " .. conn
  local tree = root:add(xenstore, tvb())
  local record = tree:add(xenstore, tvb(0, header), "Record")
  record:add(f.version, tvb(0, 1))
  record:add(f.kind, tvb(1, 1))
  record:add(f.direction, tvb(4, 1))
  record:add(f.link, tvb(5, 1))
  for _, flag in ipairs({ f.split_written, f.split_read, f.cut, f.hostile }) do record:add_le(flag, tvb(6, 2)) end
  record:add_le(f.host, tvb(8, 2))
  record:add_le(f.seq, tvb(16, 4))
  if kind == KIND_HAPPENING then
    local found, rest = split(tvb(header):range())
    local what = found[1] and found[1].text or ""
    if found[1] ~= nil then tree:add(f.happening, found[1].range, what) end
    local text = rest and rest:raw() or ""
    local item = tree:add(f.happening_text, rest or tvb(header), text)
    if what == "finding" then item:add_proto_expert_info(e.finding, text) end
    pinfo.cols.src, pinfo.cols.dst = "host " .. tvb(8, 2):le_uint(), ""
    pinfo.cols.info = string.format("[%s] %s", what, text)
    return tvb:len()
  end
  record:add_le(f.domid, tvb(10, 2))
  record:add_le(f.conn, tvb(12, 4))
  record:add_le(f.begun_seq, tvb(20, 4))
  local begun = tvb(24, 8):le_uint64()
  local begun_time = NSTime.new((begun / 1000000000):tonumber(), (begun % 1000000000):tonumber())
  record:add(f.begun, tvb(24, 8), begun_time)
  record:add(f.took, frame_time().value - begun_time):set_generated()
  local name = tvb(32, 4):le_uint() > 0 and tvb(FIXED_OCTETS, tvb(32, 4):le_uint()):string() or ""
  record:add(f.name, tvb(FIXED_OCTETS, tvb(32, 4):le_uint()), name)
  local flags = tvb(6, 2):le_uint()
  if flags % 4 ~= 0 then tree:add_proto_expert_info(e.split) end
  local is_cut = math.floor(flags / 4) % 2 == 1
  local store = "xenstored"
  pinfo.cols.src = kind == KIND_REQUEST and name or store
  pinfo.cols.dst = kind == KIND_REQUEST and store or name
  local line = dissect_message(kind, tvb(header):range(), tree, pinfo, at, is_cut)
  tree:append_text(string.format(", %s %s", KINDS[kind] or kind, line))
  pinfo.cols.info = ARROWS[kind] .. line
  return tvb:len()
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, xenstore)
