//! Abbreviations, language by language, beyond those that `sentencex` knows.
//!
//! Words are separated by spaces and lack their last full stop. A word with a capital letter matches only as written,
//! others in any case. `t.ex` also stands for "t. ex.".

/// The words that a language writes with a full stop that ends no sentence.
#[derive(Debug)]
pub(super) struct Abbreviations {
    /// ISO 639-1 code.
    code: &'static str,
    /// Abbreviations that something always follows: titles before names, streets, "for example". They never end a
    /// sentence.
    pub(super) leading: &'static str,
    /// Abbreviations before a number only: numbers, pages, months, hours.
    pub(super) numbered: &'static str,
    /// Abbreviations that end a sentence if a capital letter follows: "and so on", years, and plain words that
    /// `sentencex` takes for abbreviations.
    pub(super) closing: &'static str,
    /// Words that are capitalised at the beginning of a sentence only.
    pub(super) starters: &'static str,
    /// Words that an ordinal number with a full stop may follow before a capital, where the language writes ordinals
    /// so.
    pub(super) ordinals: Option<&'static str>,
}

/// The abbreviations of `language`, of a related language, or of English.
pub(super) fn of(language: &str) -> &'static Abbreviations {
    let own = |code: &str| TABLE.iter().find(|row| row.code == code);
    let near = || sentencex::languages::get_fallbacks(language)?.iter().find_map(|code| own(code));
    let base = language.split('-').next().unwrap_or(language);
    own(language).or_else(near).or_else(|| own(base)).unwrap_or(&TABLE[0])
}

const TABLE: [Abbreviations; 20] = [
    Abbreviations {
        code: "en",
        leading: "vol vols approx incl excl mx amb profs",
        numbered: "ch chap eq eqn ex figs sect para est max min avg tel ext",
        closing: "etc",
        // `sentencex` has these.
        starters: "",
        ordinals: None,
    },
    Abbreviations {
        code: "de",
        leading: "Hr Hrn Fr Frl dr prof dipl ing med phil rer hl St bspw bzw ca inkl exkl ggf evtl vgl sog sogen geb \
            z.B d.h u.a u.U i.d.R v.a i.A s.o z.T m.E z.H",
        numbered: "abs art aufl bd bde hrsg jh kap nr s str tel abb",
        closing: "usw etc dgl ff o.ä u.ä u.a.m u.dgl v.Chr n.Chr",
        starters: "Er Sie Es Ich Du Wir Ihr Man Das Dies Der Die Dann Danach Dort Da Hier Heute Morgen Gestern Aber \
            Und Oder Doch Denn Also Wenn Weil Als Nun Jetzt Auch Nach Bei Mit In Im Am Um Ja Nein Was Wer Wie Wo \
            Warum Seit Später Zuerst Schließlich Deshalb Trotzdem Darum Vielleicht Leider",
        ordinals: Some(
            "der die das dem den des am im zum zur vom beim ein eine einen einem einer eines jeder jede jedes jedem \
            jeden sein seine seinen seinem seiner ihr ihre ihren ihrem ihrer mein meine meinen meinem meiner dein \
            deine unser unsere unserem unseren dieser diese dieses diesem diesen ins ans",
        ),
    },
    Abbreviations {
        code: "fr",
        leading: "M MM Mme Mmes Mlle Mlles Me Mgr Dr Dre Drs Pr Prs prof Vve St Ste Cdt Cne Lt Col Gal Gén bd bld \
            bvd boul av imp fg fbg sq rte all env cf apr p.ex c.-à-d",
        numbered: "no nos nº n° num p pp vol t chap art fig éd ch réf tél ex janv févr avr juil sept oct nov déc lun \
            mar mer jeu ven sam dim max min",
        closing: "etc J.-C art vol",
        starters: "Il Elle Ils Elles On Je Tu Nous Vous Ce C'est Cela Ça Mais Puis Alors Ensuite Donc Et Ou Où Si Quand \
            Comme Après Avant Aujourd'hui Demain Hier Voici Voilà Oui Non",
        ordinals: None,
    },
    Abbreviations {
        code: "es",
        leading: "Sr Sra Sres Sras Srta Dr Dra Dres prof profa D Dña Dn lic ing arq gral cnel tte Exmo Excmo Ilmo mons \
            Fr Sto Sta avda av avd pza aprox p.ej",
        numbered: "núm nº n no pág págs p pp art cap vol fig tel apdo ene feb febr mar abr may jun jul ago sept oct nov \
            dic máx mín",
        closing: "etc no bien super extra auto contra Ud Uds Vd Vds EE.UU a.C d.C S.A S.L",
        starters: "Él Ella Ellos Ellas Yo Tú Nosotros Usted Ustedes Pero Y O Entonces Después Luego Si Sí No Cuando Como \
            Aunque Porque Ahora Hoy Ayer Mañana También Además Es Está Hay Esto Eso",
        ordinals: None,
    },
    Abbreviations {
        code: "it",
        leading: "sig sigg dott prof avv ing arch geom rag on sen mons cav comm egr gent spett ca S SS p.es v.le p.zza",
        numbered: "n nn nr p pag pagg art artt cap vol fig tel gen febb mar apr mag giu lug ago sett ott nov dic max min",
        closing: "ecc etc no mai fa fai sai so va via me te su la a.C d.C S.p.A S.r.l",
        starters: "Io Tu Lui Lei Noi Voi Loro Ma E Poi Allora Quindi Se Quando Come Perché Anche Oggi Ieri Domani Ora \
            Non Sì No È C'è Questo Questa Quello",
        ordinals: None,
    },
    Abbreviations {
        code: "pt",
        leading: "Sr Sra Srs Sras Srta Dr Dra Drs Dras prof profa eng Exmo Exma Ilmo Av trav R Pça Al rod Est cel Gen Cap \
            Ten Sto Sta Pe D aprox p.ex",
        numbered: "n nº no núm p pág págs pp art cap vol fig tel séc jan fev mar abr mai jun jul ago set out nov dez máx \
            mín",
        closing: "etc a.C d.C S.A Ltda",
        starters: "Ele Ela Eles Elas Eu Você Vocês Nós Mas E Então Depois Se Quando Como Porque Também Agora Hoje Ontem \
            Amanhã Não Sim É Isso Isto Há",
        ordinals: None,
    },
    Abbreviations {
        code: "nl",
        leading: "mevr mw dhr hr jhr mej mr ir ing drs dr prof ds gebr fam ca bijv bv St o.a m.a.w d.w.z i.p.v t.a.v \
            m.b.t t.o.v",
        numbered: "nr nrs n blz p pag art jan feb mrt apr aug sept okt nov dec tel hfst max min fig afb",
        closing: "enz etc best ver wet e.d e.a n.Chr v.Chr",
        starters: "Hij Zij Ze Wij We Ik Jij Je U Het Dat Dit Er Maar En Dan Daarna Toen Als Omdat Dus Ook Nu Wat Waar \
            Wie Hoe Ja Nee",
        ordinals: None,
    },
    Abbreviations {
        code: "pl",
        leading: "p dr prof mgr inż hab lek gen płk mjr kpt por ks bp abp św ul al pl os np tj tzn tzw ok wg im m.in",
        numbered: "nr s str t rozdz art ust pkt poz tel godz rys tab maks min",
        closing: "r itd itp etc zł n.e p.n.e",
        starters: "On Ona Oni One Ja Ty My Wy Ale I A Potem Wtedy Jeśli Gdy Kiedy Więc Dlatego Teraz Dziś Dzisiaj Wczoraj \
            Jutro Nie Tak To Jest Czy",
        ordinals: Some(""),
    },
    Abbreviations {
        code: "sv",
        leading: "dr prof doc hr ang enl jfr inkl exkl resp ca dvs S:t t.ex bl.a d.v.s s.k f.d fr.o.m t.o.m p.g.a m.a.o",
        numbered: "kl nr s sid kap fig tel jan feb apr aug sept okt nov dec max min st kr vol",
        closing: "etc osv o.s.v m.m m.fl o.dyl e.d f.Kr e.Kr",
        starters: "Han Hon De Den Det Jag Du Vi Ni Man Men Och Då Sedan Sen Om När Så Nu Idag Igår Imorgon Ja Nej Där Här \
            Vad Vem Hur",
        ordinals: None,
    },
    Abbreviations {
        code: "da",
        leading: "hr frk dr prof ing dir adv ca vedr inkl ekskl evt kgl jf fx dvs Skt bl.a f.eks d.v.s m.h.t p.g.a",
        numbered: "nr s kl kap art fig tlf jan feb mar apr jun jul aug sept okt nov dec maks min kr bd",
        closing: "osv etc mv o.s.v m.m m.v m.fl o.l f.Kr e.Kr",
        starters: "Han Hun De Den Det Jeg Du Vi Man Men Og Så Da Hvis Når Nu Ja Nej Her Der Hvad Hvem Hvor Derefter",
        ordinals: Some("den det de d i på"),
    },
    Abbreviations {
        code: "nb",
        leading: "hr frk dr prof ca inkl ekskl evt jf dvs iht ift mht pga St bl.a f.eks d.v.s m.a.o",
        numbered: "nr s kl kap art fig tlf jan feb mars apr aug sept okt nov des maks min kr pkt",
        closing: "osv etc mm m.m m.fl o.l f.Kr e.Kr",
        starters: "Han Hun De Den Det Jeg Du Vi Man Men Og Så Da Hvis Når Nå Ja Nei Her Der Hva Hvem Hvor Deretter",
        ordinals: Some("den det de d i på"),
    },
    Abbreviations {
        code: "fi",
        leading: "esim ns ts hra rva nti maist prof fil",
        numbered: "nro n s klo puh kpl",
        closing: "jne yms ym tms eKr jKr",
        starters: "Hän He Se Ne Minä Sinä Me Te Mutta Ja Sitten Jos Kun Nyt Kyllä Ei Tämä",
        ordinals: Some(""),
    },
    Abbreviations {
        code: "cs",
        leading: "p pí sl dr prof doc ing mgr mudr judr phdr rndr bc gen plk sv ul nám tř např tj tzv tzn resp popř cca",
        numbered: "č čp str s kap odst obr tab tel hod roč max min",
        closing: "atd apod aj r př.n.l n.l",
        starters: "On Ona Oni Já Ty My Vy Ale Pak Potom Když Pokud Protože Teď Dnes Včera Zítra Ne Ano To Je Tak",
        ordinals: Some(""),
    },
    Abbreviations {
        code: "sk",
        leading: "p sl dr prof doc ing mgr mudr judr phdr gen sv ul nám napr tj tzv tzn resp cca",
        numbered: "č str s kap odst obr tab tel hod roč",
        closing: "atď atd apod pod",
        starters: "On Ona Oni Ja Ty My Vy Ale Potom Keď Ak Pretože Teraz Dnes Včera Zajtra Nie Áno To Je Tak",
        ordinals: Some(""),
    },
    Abbreviations {
        code: "hu",
        leading: "dr prof ifj id özv ún pl kb ill vö",
        numbered: "sz u tel jan febr márc ápr máj jún júl aug szept okt nov dec",
        closing: "stb kft zrt",
        starters: "Ő Ők Én Te Mi Ti De És Aztán Ha Amikor Mert Most Ma Tegnap Holnap Nem Igen Ez Az A",
        ordinals: Some("a az"),
    },
    Abbreviations {
        code: "ro",
        leading: "dl dna dr prof ing av gen col sf str bd bdul șos ex",
        numbered: "nr pag p art alin cap vol fig tel ian feb mar apr iun iul aug sept oct nov dec et ap bl sc",
        closing: "etc ș.a î.Hr d.Hr",
        starters: "El Ea Ei Ele Eu Tu Noi Voi Dar Și Apoi Atunci Dacă Când Acum Azi Ieri Mâine Nu Da Este",
        ordinals: None,
    },
    Abbreviations {
        code: "tr",
        leading: "dr prof doç av yrd öğr gör sn alb gen org örn bkz hz mah cad sok cd blv",
        numbered: "no s sy tel böl md",
        closing: "vb vs vd",
        starters: "O Ben Sen Biz Siz Onlar Ama Ve Sonra Eğer Çünkü Şimdi Bugün Dün Yarın Hayır Evet Bu Şu Ancak",
        ordinals: Some(""),
    },
    Abbreviations {
        code: "ca",
        leading: "Sr Sra Srs Sres Dr Dra prof av avda pl pça ctra St Sta p.ex",
        numbered: "núm n pàg p art cap vol fig tel",
        closing: "etc aC dC a.C d.C",
        starters: "Ell Ella Ells Jo Tu Nosaltres Però Després Llavors Si Quan Com Perquè També Ara Avui Ahir Demà No Sí És",
        ordinals: None,
    },
    Abbreviations {
        code: "ru",
        leading: "г-н г-жа проф акад доц инж им ул пл пер наб просп св напр см ср т.е т.к т.н",
        numbered: "стр с гл рис табл тел",
        closing: "др руб коп т.д т.п н.э",
        starters: "Он Она Они Оно Я Ты Мы Вы Но И А Потом Затем Если Когда Потому Сейчас Теперь Сегодня Вчера Завтра Нет Да \
            Это Так Там Здесь",
        ordinals: None,
    },
    Abbreviations {
        code: "uk",
        leading: "п пп проф акад доц ім вул пл просп св напр див т.зв",
        numbered: "стор с гл рис табл тел",
        closing: "ін грн коп т.д т.п н.е",
        starters: "Він Вона Вони Воно Я Ти Ми Ви Але І А Потім Якщо Коли Тому Зараз Тепер Сьогодні Вчора Завтра Ні Так Це \
            Там Тут",
        ordinals: None,
    },
];
