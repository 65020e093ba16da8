// A game with voice in C#, as Unity or Godot would have it: the structs and calls of mynah.h, a sound device's thread, and a
// game that hears of events once a frame. The library ticks by itself.
//
//   cargo build --release -p libmynah
//   mcs -unsafe -out:Game.exe tools/capi/examples/Game.cs
//   LD_LIBRARY_PATH=target/release mono Game.exe scenes/barge_in.ron tests/recordings/turns.wav
//
//   mono Game.exe --story SCENE CALL.wav OUT.f32    the same call in virtual time: every event, and the character's samples
//   mono Game.exe --layout                          sizes and offsets of all structs
using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

/// <summary>The calls of mynah.h. All structs are blittable: nothing is copied or collected between C# and the library.</summary>
static class Mynah
{
    public const uint Abi = 1;
    public const uint DriveVirtual = 1, DriveThread = 2;
    public const uint Transcript = 7, LineSpoken = 8, Interrupted = 13, Closed = 23;

    [StructLayout(LayoutKind.Sequential)]
    public struct Config
    {
        public uint size, abi, drive, sessions_max, threads, events_max;
        public ulong seed;
        public IntPtr scene_name, settings, log, log_user;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct SessionConfig
    {
        public uint size, abi;
        public IntPtr name, user;
        public uint input_rate_hz, input_channels, output_rate_hz, output_channels;
        public int lead_ms, latency_ms, interrupt_min_ms, half_duplex, gate, reserved;
        public IntPtr @params, history;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct SayConfig
    {
        public uint size, abi;
        public int interruptible, priority, wait, reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Spoken
    {
        public uint what;
        public int viseme;
        public ulong from_us, until_us;
        public uint from_byte, until_byte;
        /// <summary>Eight bytes of text that end with a zero.</summary>
        public ulong phone;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Event
    {
        public uint kind, flags;
        public IntPtr session, user;
        public ulong t_us, from_us, until_us, number;
        public uint segment, revision, turn, session_id;
        public IntPtr text;
        public UIntPtr text_len;
        public IntPtr detail, id, spoken;
        public UIntPtr spoken_len;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Pulled
    {
        public uint frames, skipped, turn, flags;
        public float level;
        public uint reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Formats
    {
        public uint input_rate_hz, input_channels, output_rate_hz, output_channels;
    }

    const string Library = "mynah";
    [DllImport(Library)] public static extern uint mynah_abi();
    [DllImport(Library)] public static extern IntPtr mynah_error();
    [DllImport(Library)] public static extern IntPtr mynah_status_text(int status);
    [DllImport(Library)] public static extern int mynah_config_init(out Config config, uint size);
    [DllImport(Library)] public static extern int mynah_open(ref Config config, byte[] scene, UIntPtr length, out IntPtr engine);
    [DllImport(Library)] public static extern int mynah_close(IntPtr engine);
    [DllImport(Library)] public static extern int mynah_tick(IntPtr engine, ulong nowUs);
    [DllImport(Library)] public static extern int mynah_events(IntPtr engine, [Out] Event[] events, UIntPtr most, out UIntPtr count);
    [DllImport(Library)] public static extern int mynah_session_config_init(out SessionConfig config, uint size);
    [DllImport(Library)] public static extern int mynah_session_open(IntPtr engine, ref SessionConfig config, out IntPtr session);
    [DllImport(Library)] public static extern int mynah_session_close(IntPtr session);
    [DllImport(Library)] public static extern int mynah_session_formats(IntPtr session, out Formats formats);
    [DllImport(Library)] public static extern int mynah_finish(IntPtr session);
    [DllImport(Library)] public static extern unsafe int mynah_push_i16(IntPtr session, short* samples, UIntPtr frames);
    [DllImport(Library)] public static extern int mynah_pull(IntPtr session, float[] samples, UIntPtr frames, out Pulled pulled);

    /// <summary>A text of the library; empty where there is none.</summary>
    public static string Text(IntPtr text)
    {
        if (text == IntPtr.Zero) return "";
        int length = 0;
        while (Marshal.ReadByte(text, length) != 0) length++;
        var bytes = new byte[length];
        Marshal.Copy(text, bytes, 0, length);
        return Encoding.UTF8.GetString(bytes);
    }

    public static void Check(int status, string what)
    {
        if (status != 0) throw new Exception(what + ": " + Text(mynah_status_text(status)) + ": " + Text(mynah_error()));
    }

    /// <summary>A text as the library takes it; to be freed.</summary>
    public static IntPtr Given(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var given = Marshal.AllocHGlobal(bytes.Length + 1);
        Marshal.Copy(bytes, 0, given, bytes.Length);
        Marshal.WriteByte(given, bytes.Length, 0);
        return given;
    }
}

/// <summary>A recording: 16-bit PCM.</summary>
sealed class Wav
{
    public readonly uint RateHz, Channels;
    public readonly short[] Samples;
    public int Frames { get { return Samples.Length / (int)Channels; } }

    public Wav(string path)
    {
        var bytes = File.ReadAllBytes(path);
        for (long at = 12; at + 8 <= bytes.Length;)
        {
            var kind = Encoding.ASCII.GetString(bytes, (int)at, 4);
            long size = BitConverter.ToUInt32(bytes, (int)at + 4);
            if (kind == "fmt ")
            {
                Channels = BitConverter.ToUInt16(bytes, (int)at + 10);
                RateHz = BitConverter.ToUInt32(bytes, (int)at + 12);
            }
            else if (kind == "data" && Channels > 0)
            {
                size = Math.Min(size, bytes.Length - at - 8);
                Samples = new short[size / 2 / Channels * Channels];
                Buffer.BlockCopy(bytes, (int)at + 8, Samples, 0, Samples.Length * 2);
            }
            at += 8 + size + (size & 1);
        }
        if (Samples == null) throw new Exception(path + ": no 16-bit PCM");
    }
}

static class Program
{
    static readonly string[] Names =
    {
        "", "speech_started", "speech_confirmed", "speech_cancelled", "end_of_speech", "end_of_speech_retracted",
        "partial_transcript", "transcript", "line", "spoken", "answer_started", "answer_paused", "answer_resumed",
        "answer_interrupted", "answer_ended", "line_dropped", "text", "tool_call", "reply_requested", "reply_cancelled",
        "service_failed", "deadline_warning", "applied", "closed",
    };

    static IntPtr OpenEngine(string path, uint drive)
    {
        Mynah.Config config;
        IntPtr engine;
        var scene = File.ReadAllBytes(path);
        Mynah.Check(Mynah.mynah_config_init(out config, (uint)Marshal.SizeOf(typeof(Mynah.Config))), "config");
        config.drive = drive;
        config.sessions_max = 8;
        config.scene_name = Mynah.Given(path);
        int status = Mynah.mynah_open(ref config, scene, (UIntPtr)scene.Length, out engine);
        Marshal.FreeHGlobal(config.scene_name);
        Mynah.Check(status, path);
        return engine;
    }

    static IntPtr OpenSession(IntPtr engine, string path, Wav call)
    {
        Mynah.SessionConfig config;
        IntPtr session;
        uint size = (uint)Marshal.SizeOf(typeof(Mynah.SessionConfig));
        Mynah.Check(Mynah.mynah_session_config_init(out config, size), "session config");
        config.name = Mynah.Given(Path.GetFileName(path));
        config.input_rate_hz = call.RateHz;
        config.input_channels = call.Channels;
        int status = Mynah.mynah_session_open(engine, ref config, out session);
        Marshal.FreeHGlobal(config.name);
        Mynah.Check(status, "session");
        return session;
    }

    static unsafe int Push(IntPtr session, Wav call, int from, int frames)
    {
        fixed (short* samples = call.Samples)
            return Mynah.mynah_push_i16(session, samples + from * call.Channels, (UIntPtr)frames);
    }

    // ---- The same call in virtual time ----

    static string Line(Mynah.Event e)
    {
        var spoken = new StringBuilder();
        int size = Marshal.SizeOf(typeof(Mynah.Spoken));
        for (int at = 0; at < (int)e.spoken_len; at++)
        {
            var part = (Mynah.Spoken)Marshal.PtrToStructure(IntPtr.Add(e.spoken, at * size), typeof(Mynah.Spoken));
            if (at > 0) spoken.Append(',');
            spoken.AppendFormat("{0}:{1}:{2}-{3}", part.what, part.viseme, part.from_us, part.until_us);
        }
        return e.t_us + " " + (e.kind < Names.Length ? Names[e.kind] : "unknown") + " flags=" + e.flags + " segment=" + e.segment +
            " revision=" + e.revision + " turn=" + e.turn + " from_us=" + e.from_us + " until_us=" + e.until_us + " number=" +
            e.number + " text=" + Mynah.Text(e.text) + " detail=" + Mynah.Text(e.detail) + " id=" + Mynah.Text(e.id) + " spoken=" +
            spoken;
    }

    static bool PrintEvents(IntPtr engine, Mynah.Event[] events, TextWriter to)
    {
        bool closed = false;
        UIntPtr count;
        do
        {
            Mynah.Check(Mynah.mynah_events(engine, events, (UIntPtr)events.Length, out count), "events");
            for (int at = 0; at < (int)count; at++)
            {
                to.Write(Line(events[at]) + "\n");
                closed |= events[at].kind == Mynah.Closed;
            }
        } while ((int)count == events.Length);
        return closed;
    }

    static void Story(string scene, string path, string outPath, TextWriter to)
    {
        var call = new Wav(path);
        var engine = OpenEngine(scene, Mynah.DriveVirtual);
        var session = OpenSession(engine, path, call);
        Mynah.Formats formats;
        Mynah.Check(Mynah.mynah_session_formats(session, out formats), "formats");
        int piece = (int)formats.output_rate_hz / 200, channels = (int)formats.output_channels;
        var heard = new float[piece * channels];
        var bytes = new byte[heard.Length * 4];
        var events = new Mynah.Event[64];
        int pushed = 0, chunk = (int)call.RateHz / 50;
        long total = 0;
        bool closed = false, finished = false;
        using (var file = File.Create(outPath))
            for (ulong now = 0; ; now += 5000)
            {
                bool ended = pushed == call.Frames;
                while (pushed < call.Frames)
                {
                    int frames = Math.Min(chunk, call.Frames - pushed);
                    ulong due = ((ulong)(pushed + frames) * 1000000 + call.RateHz - 1) / call.RateHz;
                    if (due > now) break;
                    Mynah.Check(Push(session, call, pushed, frames), "push");
                    pushed += frames;
                }
                if (ended && !finished)
                {
                    finished = true;
                    Mynah.Check(Mynah.mynah_finish(session), "finish");
                }
                Mynah.Check(Mynah.mynah_tick(engine, now), "tick");
                closed |= PrintEvents(engine, events, to);
                var pulled = new Mynah.Pulled();
                if (piece > 0) Mynah.Check(Mynah.mynah_pull(session, heard, (UIntPtr)piece, out pulled), "pull");
                int length = (int)pulled.frames * channels * 4;
                Buffer.BlockCopy(heard, 0, bytes, 0, length);
                file.Write(bytes, 0, length);
                total += pulled.frames;
                if (closed && pulled.frames == 0) break;
            }
        to.Write("frames " + total + "\n");
        Mynah.Check(Mynah.mynah_session_close(session), "close");
        Mynah.Check(Mynah.mynah_close(engine), "close");
    }

    // ---- In real time ----

    sealed class Device
    {
        public IntPtr Session;
        public Wav Call;
        public Mynah.Formats Formats;
        public volatile bool Over, HasSpoken;
        public long Refused, Sounded, Collections;
        public float Loudest;

        /// <summary>What a sound device calls every 10 ms: nothing in it waits or allocates.</summary>
        void Callback(ref int at, float[] heard)
        {
            Mynah.Pulled pulled;
            int frames = Math.Min((int)Call.RateHz / 100, Call.Frames - at);
            if (frames > 0)
            {
                if (Push(Session, Call, at, frames) != 0) Refused += frames;
                at += frames;
                // Ending the input is the game's to do.
                HasSpoken = at == Call.Frames;
            }
            Mynah.mynah_pull(Session, heard, (UIntPtr)(Formats.output_rate_hz / 100), out pulled);
            Sounded += pulled.frames;
            Loudest = Math.Max(Loudest, pulled.level);
        }

        public void Run()
        {
            var heard = new float[Formats.output_rate_hz / 100 * Math.Max(1, Formats.output_channels)];
            var clock = Stopwatch.StartNew();
            int at = 0, before = GC.CollectionCount(0);
            for (long due = 10; !Over; due += 10)
            {
                Callback(ref at, heard);
                Thread.Sleep((int)Math.Max(0, due - clock.ElapsedMilliseconds));
            }
            Collections = GC.CollectionCount(0) - before;
        }
    }

    static uint spokenTurn;
    static ulong spokenFrom = ulong.MaxValue;

    static bool Play(Mynah.Event e)
    {
        string time = (e.t_us / 1e6).ToString("F2", CultureInfo.InvariantCulture).PadLeft(7) + " s  ";
        if (e.kind == Mynah.Transcript && (ulong)e.text_len > 0) Console.WriteLine(time + "player: " + Mynah.Text(e.text));
        if (e.kind == Mynah.LineSpoken)
        {
            // A line is told again when its end is known.
            if (e.turn != spokenTurn || e.from_us != spokenFrom) Console.WriteLine(time + "character: " + Mynah.Text(e.text));
            spokenTurn = e.turn;
            spokenFrom = e.from_us;
        }
        if (e.kind == Mynah.Interrupted) Console.WriteLine(time + "interrupted after " + e.until_us / 1000 + " ms");
        if (e.kind == Mynah.Closed) Console.WriteLine(time + "closed: " + Mynah.Text(e.detail));
        return e.kind == Mynah.Closed;
    }

    static void Game(string scene, string path)
    {
        var call = new Wav(path);
        var engine = OpenEngine(scene, Mynah.DriveThread);
        var device = new Device { Session = OpenSession(engine, path, call), Call = call };
        Mynah.Check(Mynah.mynah_session_formats(device.Session, out device.Formats), "formats");
        var thread = new Thread(device.Run);
        thread.Start();
        var events = new Mynah.Event[32];
        bool finished = false;
        for (bool closed = false; !closed; Thread.Sleep(16))
        {
            UIntPtr count;
            if (device.HasSpoken && !finished) Mynah.Check(Mynah.mynah_finish(device.Session), "finish");
            finished |= device.HasSpoken;
            Mynah.Check(Mynah.mynah_events(engine, events, (UIntPtr)events.Length, out count), "events");
            for (int at = 0; at < (int)count; at++) closed |= Play(events[at]);
        }
        device.Over = true;
        thread.Join();
        Console.WriteLine("{0} frames of the character's voice, {1} refused, {2} collections on the way", device.Sounded,
            device.Refused, device.Collections);
        Mynah.Check(Mynah.mynah_close(engine), "close");
    }

    // ---- Sizes and offsets ----

    static void Layout(Type type, string name, TextWriter to)
    {
        to.Write(name + " " + Marshal.SizeOf(type) + "\n");
        foreach (var field in type.GetFields())
            to.Write(name + "." + field.Name + " " + Marshal.OffsetOf(type, field.Name) + " " + Marshal.SizeOf(field.FieldType) + "\n");
    }

    static int Main(string[] words)
    {
        if (Mynah.mynah_abi() != Mynah.Abi)
        {
            Console.Error.WriteLine("this program is of interface " + Mynah.Abi + ", libmynah of " + Mynah.mynah_abi());
            return 2;
        }
        using (var to = new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)))
        {
            if (words.Length == 4 && words[0] == "--story") Story(words[1], words[2], words[3], to);
            else if (words.Length == 2) Game(words[0], words[1]);
            else if (words.Length == 1 && words[0] == "--layout")
            {
                Layout(typeof(Mynah.Config), "mynah_config", to);
                Layout(typeof(Mynah.SessionConfig), "mynah_session_config", to);
                Layout(typeof(Mynah.SayConfig), "mynah_say_config", to);
                Layout(typeof(Mynah.Spoken), "mynah_spoken", to);
                Layout(typeof(Mynah.Event), "mynah_event", to);
                Layout(typeof(Mynah.Pulled), "mynah_pulled", to);
                Layout(typeof(Mynah.Formats), "mynah_formats", to);
            }
            else
            {
                Console.Error.WriteLine("Game SCENE CALL.wav | Game --story SCENE CALL.wav OUT.f32 | Game --layout");
                return 2;
            }
        }
        return 0;
    }
}
