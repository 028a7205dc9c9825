//! From the text between `${{` and `}}` to a tree.

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Context(String),
    /// `a.b` and `a['b']`.
    Index(Box<Expression>, Box<Expression>),
    Call(String, Vec<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// An operator between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Tighter ones are greater.
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal => 3,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Operator(Operator),
    Not,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
    Dot,
    Comma,
    Star,
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    if parser.tokens.is_empty() {
        return Err("an expression was expected".to_owned());
    }
    let expression = parser.binary(0)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expression),
        Some(token) => Err(format!("unexpected {token:?}")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let pair = bytes.get(at..at + 2).unwrap_or_default();
        let (token, length) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            _ if pair == b"&&" => (Token::Operator(Operator::And), 2),
            _ if pair == b"||" => (Token::Operator(Operator::Or), 2),
            _ if pair == b"==" => (Token::Operator(Operator::Equal), 2),
            _ if pair == b"!=" => (Token::Operator(Operator::Unequal), 2),
            _ if pair == b"<=" => (Token::Operator(Operator::LessOrEqual), 2),
            _ if pair == b">=" => (Token::Operator(Operator::GreaterOrEqual), 2),
            b'<' => (Token::Operator(Operator::Less), 1),
            b'>' => (Token::Operator(Operator::Greater), 1),
            b'!' => (Token::Not, 1),
            b'(' => (Token::Open, 1),
            b')' => (Token::Close, 1),
            b'[' => (Token::OpenIndex, 1),
            b']' => (Token::CloseIndex, 1),
            b',' => (Token::Comma, 1),
            b'*' => (Token::Star, 1),
            b'\'' => quoted(&text[at..])?,
            b'.' if !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => (Token::Dot, 1),
            b'0'..=b'9' | b'.' | b'+' | b'-' => number(&text[at..])?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
                    .count();
                (Token::Name(text[at..at + length].to_owned()), length)
            }
            b'"' => return Err("texts stand in single quotes".to_owned()),
            _ => return Err(format!("unexpected {:?}", text[at..].chars().next().unwrap_or_default())),
        };
        tokens.push(token);
        at += length;
    }
    Ok(tokens)
}

/// `'it''s'`, and how long it is.
fn quoted(text: &str) -> Result<(Token, usize), String> {
    let mut value = String::new();
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((index, letter)) = rest.next() {
        if letter != '\'' {
            value.push(letter);
        } else if rest.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Ok((Token::Text(value), index + 1));
        }
    }
    Err("a text has no closing quote".to_owned())
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let written = &text[..length];
    let number = super::value::Value::from(written).to_number();
    if number.is_nan() {
        return Err(format!("{written:?} is no number"));
    }
    Ok((Token::Number(number), length))
}

/// Nesting beyond this is refused, as on GitHub.
const DEEPEST: usize = 50;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn eat(&mut self, wanted: &Token) -> bool {
        let found = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        if self.eat(wanted) {
            return Ok(());
        }
        Err(match self.tokens.get(self.at) {
            Some(found) => format!("{wanted:?} was expected, not {found:?}"),
            None => format!("{wanted:?} is missing at the end"),
        })
    }

    fn binary(&mut self, weakest: u8) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("it is nested deeper than {DEEPEST}"));
        }
        let mut left = self.unary()?;
        while let Some(Token::Operator(operator)) = self.tokens.get(self.at).cloned() {
            if operator.strength() <= weakest {
                break;
            }
            self.at += 1;
            let right = self.binary(operator.strength())?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        let mut negations = 0_usize;
        while self.eat(&Token::Not) {
            negations += 1;
        }
        let mut expression = self.postfix()?;
        for _ in 0..negations {
            expression = Expression::Not(Box::new(expression));
        }
        Ok(expression)
    }

    fn postfix(&mut self) -> Result<Expression, String> {
        let mut expression = self.primary()?;
        loop {
            let index = if self.eat(&Token::Dot) {
                match self.next() {
                    Some(Token::Name(name)) => Expression::Text(name),
                    Some(Token::Star) => return Err(FILTER.to_owned()),
                    _ => return Err("a name was expected after the dot".to_owned()),
                }
            } else if self.eat(&Token::OpenIndex) {
                if self.eat(&Token::Star) {
                    return Err(FILTER.to_owned());
                }
                let index = self.binary(0)?;
                self.expect(&Token::CloseIndex)?;
                index
            } else {
                return Ok(expression);
            };
            expression = Expression::Index(Box::new(expression), Box::new(index));
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        Ok(match self.next() {
            Some(Token::Number(number)) => Expression::Number(number),
            Some(Token::Text(text)) => Expression::Text(text),
            Some(Token::Open) => {
                let expression = self.binary(0)?;
                self.expect(&Token::Close)?;
                expression
            }
            Some(Token::Name(name)) if self.eat(&Token::Open) => Expression::Call(name, self.arguments()?),
            Some(Token::Name(name)) => match name.as_str() {
                "null" => Expression::Null,
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "NaN" => Expression::Number(f64::NAN),
                "Infinity" => Expression::Number(f64::INFINITY),
                _ => Expression::Context(name),
            },
            Some(Token::Star) => return Err(FILTER.to_owned()),
            Some(token) => return Err(format!("unexpected {token:?}")),
            None => return Err("it ends too early".to_owned()),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Expression>, String> {
        let mut arguments = Vec::new();
        if self.eat(&Token::Close) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.binary(0)?);
            if !self.eat(&Token::Comma) {
                self.expect(&Token::Close)?;
                return Ok(arguments);
            }
        }
    }
}

const FILTER: &str = "the sandbox has no object filters (`*`)";
