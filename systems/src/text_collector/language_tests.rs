//! Abbreviations of many languages: what stays whole, and what still ends.

use super::sentences::Sentences;

/// Sentences as they leave; `|` stands between them and is not part of the text.
const TABLE: &[(&str, &str)] = &[
    // Titles, streets, numbers.
    ("fr", "Il parle avec M. Dupont et le Dr. Martin demain.| Fin."),
    ("fr", "Mme. Curie et le Pr. Tournesol vivent au bd. Voltaire.| Bien."),
    ("fr", "MM. Blanc et Noir, 3 av. Foch, no. 5, voir p. 12 et art. 3.| Fin."),
    ("fr", "C'est à env. 20 km, p. ex. Lyon, le 3 janv. 2024.| Oui."),
    ("fr", "L'av. Foch est à Paris.| C'est beau."),
    ("nl", "Hij sprak mevr. Jansen en dhr. De Vries, nr. 5, blz. 12.| Goed."),
    ("nl", "Neem bijv. Amsterdam of o.a. Utrecht.| Klaar."),
    ("pt", "Moro na Av. Paulista, n. 5, com o Dr. Silva e a Sra. Costa.| Bom."),
    ("pt", "Veja p. ex. Lisboa, séc. XV, pág. 3.| Fim."),
    ("pl", "Mówi p. Kowalski z dr. Nowakiem przy ul. Długiej.| Dobrze."),
    ("pl", "To jest np. Warszawa, s. 5, i tzw. Stare Miasto.| Tak."),
    ("sv", "Det är t.ex. Anna som kommer kl. 5 till St. Eriks.| Bra."),
    ("sv", "Ta t. ex. Malmö eller bl. a. Lund kl. åtta.| Hej."),
    ("en", "It is in Vol. 3 and takes approx. 5 minutes.| Good."),
    ("en", "See Vol. I, ch. 4, fig. 2 and Mx. Reed.| Fine."),
    ("es", "Habla Ud. con el Sr. Pérez y la Dra. Ruiz, avda. Mayor, núm. 5.| Adiós."),
    ("it", "Il sig. Rossi e il dott. Bianchi, pag. 5, art. 3.| Bene."),
    ("it", "L'avv. Verdi viene con l'ing. Neri.| Bene."),
    ("da", "Han så hr. Jensen kl. 5 og bl.a. Anna.| Godt."),
    ("nb", "Han så hr. Hansen kl. 5 og bl.a. Anna.| Bra."),
    ("no", "Hun kom kl. åtte med f.eks. Kari.| Bra."),
    ("fi", "Tapaan esim. Annan klo 5 ja hra. Virtasen.| Hyvä."),
    ("cs", "Přijde p. Novák a např. Jana, ul. Dlouhá, č. 5.| Dobře."),
    ("ro", "Vine dl. Popescu pe str. Lungă, nr. 5.| Bine."),
    ("tr", "Sn. Yılmaz ve Dr. Kaya, Atatürk cad. No. 5.| Tamam."),
    ("ca", "Ve el Sr. Puig amb la Dra. Pons, p. ex. Demà.| Bé."),
    ("ru", "Придёт г-н. Иванов и проф. Петров, ул. Мира.| Да."),
    // Ordinal numbers.
    ("de", "Der 2. Weltkrieg endete 1945.| Gut."),
    ("de", "Er kam auf den 3. Platz, am 1. Tag.| Gut."),
    ("de", "Heute ist der 5. Januar, im 20. Jahrhundert.| Gut."),
    ("de", "Er war der 2.| Sie war die 3.| Dann kam ich."),
    ("de", "Er hat 2.| Autos sind teuer."),
    ("pl", "To była 2. wojna.| Tak."),
    ("cs", "To byla 2. světová válka.| Ano."),
    ("da", "Det var den 2. verdenskrig.| Ja."),
    ("nb", "Det var den 2. Verdenskrig.| Ja."),
    ("fi", "Se oli 2. maailmansota.| Niin."),
    ("hu", "Ez a 2. Világháború volt.| Igen."),
    // What may end a sentence, in front of a capital and in front of a small letter.
    ("en", "Take apples, pears, etc.| Bob likes them.| He eats etc. and so on."),
    ("fr", "Des pommes, des poires, etc.| Alors il part.| Des pommes, etc. et plus."),
    ("fr", "C'est de l'art.| Les gens aiment."),
    ("nl", "Appels, peren, enz.| Dan gaat hij.| Dat is het best.| Jan weet het."),
    ("de", "Hunde, Katzen usw.| Dann kam er 44 v. Chr. nach Rom."),
    ("es", "Dijo que no.| María vino.| Manzanas, etc.| Luego se fue."),
    ("it", "Mele, pere, ecc.| Poi andò.| Non lo so.| Maria viene."),
    ("pt", "Maçãs, peras, etc.| Depois foi."),
    ("pl", "To było w 1990 r.| Potem wrócił.| W 1990 r. wrócił, itd.| Tak."),
    ("sv", "Äpplen, päron osv.| Sedan gick han.| Äpplen m.m. och mer."),
    ("da", "Æbler, pærer osv.| Så gik han."),
    ("cs", "Jablka, hrušky atd.| Pak odešel."),
    ("ru", "Яблоки, груши и др.| Потом он ушёл."),
];

fn pieces(text: &str, way: usize) -> Vec<String> {
    match way {
        0 => vec![text.to_owned()],
        1 => text.split_inclusive(' ').map(str::to_owned).collect(),
        _ => text.chars().map(String::from).collect(),
    }
}

#[test]
fn abbreviations_stay_whole_and_sentences_that_end_with_one_end() {
    let mut wrong = Vec::new();
    for (language, marked) in TABLE {
        let text = marked.replace('|', "");
        let want: Vec<&str> = marked.split('|').map(str::trim).collect();
        for way in 0..3 {
            let mut got = Vec::new();
            let mut sentences = Sentences::new((*language).into(), None);
            for piece in pieces(&text, way) {
                sentences.push(&piece, &mut |text| got.push(text.to_owned()));
            }
            sentences.flush(&mut |text| got.push(text.to_owned()));
            if got != want {
                wrong.push(format!("{language} {way}: {got:?}, not {want:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Text after which nothing comes for a while, and what leaves then.
const PAUSES: &[(&str, &str, &str)] = &[
    ("en", "Let me check that for you.", "Let me check that for you."),
    ("en", "Let me check that for you. ", "Let me check that for you."),
    ("en", "Really?", "Really?"),
    ("en", "Wait... ", "Wait..."),
    ("en", "**Sure!**", "**Sure!**"),
    ("en", "He said \"Go.\"", "He said \"Go.\""),
    ("en", "It is five (or six).", "It is five (or six)."),
    ("en", "We go. The", "We go."),
    ("en", "It is 5 p.m. sharp. ", "It is 5 p.m. sharp."),
    ("ja", "日本語です。", "日本語です。"),
    ("hi", "यह एक वाक्य है।", "यह एक वाक्य है।"),
    // Not whole.
    ("en", "Let me check", ""),
    ("en", "Well,", ""),
    ("en", "Take this:", ""),
    ("en", "This is Dr.", ""),
    ("en", "See Vol.", ""),
    ("en", "It is 5 p.m.", ""),
    ("en", "The U.S. ", ""),
    ("en", "It is 3.", ""),
    ("en", "3.", ""),
    ("en", "It costs $3.50. ", ""),
    ("en", "J.", ""),
    ("en", "Apples, etc.", ""),
    ("en", "He said \"Go.", ""),
    ("en", "It is (or so.", ""),
    ("en", "See [the docs.", ""),
    ("fr", "C'est M.", ""),
    ("fr", "C'est lui.", "C'est lui."),
    ("de", "Er kommt z. B.", ""),
    ("de", "Der 2.", ""),
    ("sv", "Det är t.", ""),
    ("pl", "To jest p.", ""),
    ("en", "...", ""),
    ("en", "", ""),
];

#[test]
fn what_reads_as_whole_leaves_when_nothing_more_comes_and_the_rest_is_kept() {
    let mut wrong = Vec::new();
    for (language, text, want) in PAUSES {
        let mut sentences = Sentences::new((*language).into(), None);
        let (mut paused, mut rest) = (String::new(), String::new());
        sentences.push(text, &mut |text| wrong.push(format!("{text:?} left before")));
        sentences.pause(&mut |text| paused.push_str(text));
        sentences.push(" Then more.", &mut |text| rest.push_str(text));
        sentences.flush(&mut |text| rest.push_str(text));
        let all = |text: &str| text.split_whitespace().collect::<String>();
        if paused != *want || all(&(paused.clone() + &rest)) != all(&format!("{text} Then more.")) {
            wrong.push(format!("{language} {text:?}: {paused:?}, not {want:?}; then {rest:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_first_text_leaves_in_a_pause_where_a_speaker_would_breathe() {
    let cases =
        [(5, "One moment,", "One moment,"), (20, "One moment,", ""), (5, "It is 1,", ""), (5, "One mom", "")];
    for (chars, text, want) in cases {
        let mut sentences = Sentences::new("en".into(), Some(chars));
        let mut left = String::new();
        sentences.push(text, &mut |text| left.push_str(text));
        sentences.pause(&mut |text| left.push_str(text));
        assert_eq!(left, want, "{chars}: {text}");
    }
}
